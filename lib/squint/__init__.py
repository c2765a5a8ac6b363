"""Squint: a course on the ideas that carried machine learning from word vectors to models that read, see and draw.

Importing this package imports no torch; `from squint.notebook import *` is what a lab's first cell does.
"""

import os

# Read by torch when it is imported: what Apple's GPUs cannot do yet runs on the CPU instead of raising.
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

__version__ = "0.1.0"
