"""Trains lab 04b's small GPT, a quarter of `gpt.py`'s: fine-tuned dozens of times within a minute on two cores.

Run: python data/recipes/gpt_small.py --minutes 90       (on a CPU; `_run.py` says what else there is)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import _run
import gpt


@dataclass(frozen=True)
class Settings(gpt.Settings):
    """As `gpt.py`'s, with other sizes; the same pieces of words come out."""

    rate: float = 2e-3
    steps: int = 4_000
    average: float = 0.995
    dim: int = 160
    heads: int = 5
    blocks: int = 4
    dropout: float = 0.05
    context: int = 128
    batch: int = 32


TITLE = "small GPT on four English texts"
RECIPE = replace(gpt.RECIPE, made_by=__file__, kind=Settings, title=TITLE,
                 export=partial(gpt.export, name=TITLE, made_by="recipes/gpt_small.py"),
                 files={file: what for file, what in _run.FILES.items() if file != "tokenizer.json"})  # fmt: skip

if __name__ == "__main__":
    RECIPE.main()
