"""Squint: a course on the ideas that carried machine learning from word vectors to models that read, see and draw.

Importing this package imports no torch; `from squint.notebook import *` is what a lab's first cell does.
"""

__version__ = "0.1.0"
