"""A text as words, for models that number whole words."""

import re


def split_words(text: str) -> list[str]:
    """The words and numbers of a text, in lower case: ``Man: beard`` gives ``man`` and ``beard``."""
    return re.findall(r"[a-z0-9]+", text.lower())
