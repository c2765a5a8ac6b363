"""Seven small tasks to show a language model by examples, shuffled once and cut into shots and items.

The lists in few_shot/ were written for the course: a question, a tab, the right answers with ; between them.

Run: python data/recipes/few_shot.py
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import _write

LISTS = Path(__file__).parent / "few_shot"
TASKS = ("past", "plurals", "antonyms", "capitals", "french", "sentiment", "kinds")
SHOTS = 20
"""How many of a task's rows are kept to be shown as examples; the others are asked."""
LABELS = ("sentiment", "kinds")
"""Tasks with few answers, which are equally frequent among shots and among items."""


def rows(name: str) -> list[tuple[str, list[str]]]:
    """A task's questions, each with its right answers, the usual one first.

    Raises:
        ValueError: a question stands there twice, or is its own answer.
    """
    lines = (LISTS / f"{name}.tsv").read_text("utf-8").splitlines()
    found = [(question, answers.split(";")) for question, answers in (line.split("\t") for line in lines)]
    questions = [question for question, _ in found]
    if len(set(questions)) < len(questions) or any(question in answers for question, answers in found):
        raise ValueError(f"{name}: a question stands there twice, or is its own answer.")
    return found


def shuffled(name: str) -> list[tuple[str, list[str]]]:
    """The rows in an order drawn once; where there are labels, these take turns, in an order drawn anew each round."""
    draw = random.Random(f"few-shot {name}")
    found = rows(name)
    draw.shuffle(found)
    if name not in LABELS:
        return found
    piles = {label: [row for row in found if row[1][0] == label] for label in sorted({a[0] for _, a in found})}
    turns = [list(turn) for turn in zip(*piles.values(), strict=True)]
    for turn in turns:
        draw.shuffle(turn)
    return [row for turn in turns for row in turn]


def main() -> None:
    """Write all tasks into one file, and enter it in the catalogue."""
    tasks = {name: shuffled(name) for name in TASKS}
    lines = [
        json.dumps({"task": name, "shots": found[:SHOTS], "items": found[SHOTS:]}, ensure_ascii=False)
        for name, found in tasks.items()
    ]
    number = sum(map(len, tasks.values()))
    _write.write("few-shot/tasks.jsonl", ("\n".join(lines) + "\n").encode("utf-8"),
                 name=f"Seven tasks to show by examples: {number} questions with their answers",
                 licence="MIT", origin="written for the course", made_by=__file__)  # fmt: skip


if __name__ == "__main__":
    main()
