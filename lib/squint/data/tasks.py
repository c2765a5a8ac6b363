"""Seven small tasks to show a language model by examples: a word's past or plural, capitals, French, moods, kinds."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import NamedTuple

from squint.data import catalogue


class Item(NamedTuple):
    """A question, its answer, and what else is right.

    Attributes:
        question: “France”.
        answer: “Paris”; what an example shows.
        right: all answers that count as right, the usual one first.
    """

    question: str
    answer: str
    right: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        name: “capitals”.
        shots: items to be shown as examples. None of them is asked.
        items: those that are asked.
        labels: all answers there are, in alphabetical order, if they are few; else none.
    """

    name: str
    shots: tuple[Item, ...]
    items: tuple[Item, ...]
    labels: tuple[str, ...]


MANY = 6
"""A task with more different answers than this has no labels."""


@functools.cache
def load() -> dict[str, Task]:
    """The tasks by name, each with 20 shots and 55 to 63 items, shuffled once: any first few are a fair sample.

    In “sentiment” and “kinds” the answers are labels, which are equally frequent among shots and among items.

    Raises:
        DataError: the file is missing or not what it was.
    """
    lines = catalogue.path("few-shot/tasks.jsonl").read_text("utf-8").splitlines()
    return {task.name: task for task in map(_task, map(json.loads, lines))}


def _task(row: dict) -> Task:
    shots, items = (tuple(Item(q, right[0], tuple(right)) for q, right in row[part]) for part in ("shots", "items"))
    answers = sorted({item.answer for item in (*shots, *items)})
    return Task(row["task"], shots, items, tuple(answers) if len(answers) <= MANY else ())
