"""Writes the skeleton of a lab: a source, its checks and some answers, which build, check and pass as they stand."""

from __future__ import annotations

import re
from pathlib import Path

from .project import CourseError, Project


def write_skeleton(project: Project, number: str, name: str) -> list[Path]:
    """Write `solutions/NN_name.py`, `lib/squint/checks/labNN.py` and `tests/answers/labNN.py`.

    Returns:
        The three files.

    Raises:
        CourseError: the number or name will not do, or one of the files is there already.
    """
    if not re.fullmatch(r"\d\d[a-z]?", number):
        raise CourseError(f"{number} is not a lab's number: write two digits, as in 07, or with a letter, as in 07b.")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise CourseError(f"{name} is not a lab's name: write lower case, words joined by _.")
    source = project.solutions / f"{number}_{name}.py"
    checks = project.root / "lib" / "squint" / "checks" / f"lab{number}.py"
    answers = project.root / "tests" / "answers" / f"lab{number}.py"
    taken = [*project.solutions.glob(f"{number}_*"), *(file for file in (checks, answers) if file.exists())]
    if taken:
        raise CourseError(f"There is a lab {number} already: {taken[0]}. Nothing was written.")
    title = name.replace("_", " ").capitalize()
    for path, text in ((source, SOURCE), (checks, CHECKS), (answers, ANSWERS)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text.replace("{NN}", number).replace("{NAME}", name).replace("{TITLE}", title))
    return [source, checks, answers]


SOURCE = '''\
# ---
# squint:
#   lab: "{NN}"
#   title: {TITLE}
#   minutes: 15
#   promise: You will put numbers of any size on one scale, and see what that does not change.
#   prerequisites: ["00_start_here"]
#   objectives: ["standardise the rows of a table", "say what a linear rescaling leaves alone"]
#   claim: Standardising changes every number and no ranking.
#   source: "Your paper: authors, year, section"
# ---

# %% [markdown] id="title"
# # {TITLE}
#
# *Fifteen minutes.* One sentence of promise: what you will have measured when you are through.
#
# You will be able to standardise the rows of a table, and to say what a linear rescaling leaves alone.
#
# **The claim under test**: standardising changes every number and no ranking.

# %% id="setup" tags=["setup"]

# %% id="imports"
import matplotlib.pyplot as plt
import torch

from squint.viz import style

# %% [markdown] id="recall"
# ## Recall
#
# What does averaging blocks of pixels keep, and what does it lose?
#
# <details><summary>Answer</summary>
#
# It keeps the brightness of each block and loses everything that happens inside it.
#
# </details>

# %% [markdown] id="idea"
# ## One scale
#
# Begin with a picture or a number that one can play with, and let the formula come second. Here: the first row counts
# in units, the second in thousands, and no threshold fits both.
#
# A row $x$ becomes $(x - \\bar{x}) / \\sigma_x$, where $\\sigma_x^2$ is the mean of $(x - \\bar{x})^2$.

# %% id="rows"
rows = torch.tensor([[1.0, 2.0, 4.0, 9.0], [1000.0, 3000.0, 2000.0, 8000.0]])
print(rows.mean(1).tolist())

# %% id="standardise" tags=["exercise"] minutes=5 difficulty=1 teaches="mean and deviation along one axis"
def standardise(rows):
    """Give every row mean 0 and deviation 1.

    rows: [rows, columns], no row constant. Returns a tensor of the same shape.
    """
    ### BEGIN SOLUTION
    centred = rows - rows.mean(1, keepdim=True)
    deviation = centred.square().mean(1, keepdim=True).sqrt()
    return centred / deviation
    ### STUB
    # centred = rows - ...
    # deviation = ...
    # return centred / ...
    ### END SOLUTION


# %% id="check-standardise" tags=["check"]
standardise = check("standardise")

# %% id="look"
same = standardise(rows)
print([f"{value:.3f}" for value in same.std(1, correction=0)])

# %% [markdown] id="before"
# Before you look: what becomes of the largest number of the second row?

# %% id="guess" tags=["nbval-ignore-output"]
guess = predict("The largest of 1000, 3000, 2000 and 8000 becomes", low=0, high=10)

# %% id="picture" tags=["nbval-ignore-output"]
figure, axis = plt.subplots(figsize=(5, 2.5))
axis.plot(same.T, marker="o")
axis.set(xlabel="column", ylabel="standard deviations from the row's mean")
style.draw_guess(axis, guess)
show(figure, alt="Two lines of four points each on one scale from minus one to two; both end at their highest point.")

# %% [markdown] id="question"
# Both rows end near 1.7. What would happen to a row of four equal numbers?
#
# <details><summary>Answer</summary>
#
# Its deviation is zero, and zero divided by zero is not a number. Layer norm adds a small ε for that reason.
#
# </details>

# %% [markdown] id="claims"
# ## What was measured
#
# Say here what does not carry over at this size, and ask of the paper: what is actually new, what is not, when does it
# fail?

# %% id="claim-ranking"
kept = (rows.argsort(1) == same.argsort(1)).float().mean().item()
claim("standardising keeps the ranking of every row", 100 * kept, equals=100, unit="%")

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## Going further
#
# A harder exercise, with its solution, and something to read.
#
# What does standardising do to the *distances* between rows?
#
# <details><summary>Solution</summary>
#
# It keeps their directions only. For rows of $n$ numbers the squared distance becomes $2n(1 - r)$, where $r$ is the
# correlation of the two rows.
#
# </details>
'''

CHECKS = '''\
"""Lab {NN}: which answers are right, and the mistakes that have names. The right answers stand in the lab's source."""

from __future__ import annotations

from collections.abc import Callable

import torch

from squint.checks.engine import Case, Check, edits, exercises


def tables(seed: int) -> list[Case]:
    """Tables to standardise, the smallest first."""
    random = torch.Generator().manual_seed(seed)
    return [
        Case("one row", torch.tensor([[1.0, 2.0, 6.0]])),
        Case("three rows", 2 + 3 * torch.randn(3, 5, generator=random)),
        Case("a long row", torch.randn(1, 40, generator=random)),
        Case("rows of very different size", torch.tensor([[1.0], [99.0]]) * torch.randn(2, 6, generator=random)),
    ]


def forgets_units(function: Callable, case: Case) -> str | None:
    """Measured in other units, a table gives the same result."""
    (rows,) = case.args
    if torch.allclose(function(1000 * rows), function(rows), rtol=1e-3, atol=1e-4):
        return None
    return "A table in metres and the same table in millimetres should give the same result, and do not."


standardise = Check(
    cases=tables,
    laws=[forgets_units],
    hints=(
        "Each row has a mean of its own. What shape must it have to be subtracted from that row?",
        "Subtract the mean over dimension 1, kept as a column. Divide by the root of the mean square of the rest.",
    ),
    misconceptions=edits({
        "rows - rows.mean(1, keepdim=True)": {
            "rows": "You left the mean in. Subtract each row's mean before you divide.",
            "rows - rows.mean(0)": "You took the mean of the columns. Each row has its own: that is dimension 1.",
        },
        ".sqrt()": {
            "": "You divided by the variance. Its square root is the deviation.",
        },
        "centred.square().mean(1, keepdim=True)": {
            "centred.var(1, keepdim=True)": "You divided the sum of squares by n - 1. Divide by n: take their mean.",
        },
    }),
)  # fmt: skip

CHECKS = exercises("{NN}", {"standardise": standardise})
'''

ANSWERS = '''\
"""Lab {NN}'s answers, right and wrong, as learners write them."""

import torch


def in_a_loop(rows):
    return torch.stack([(row - row.mean()) / row.std(correction=0) for row in rows])


def as_a_norm(rows):
    return torch.nn.functional.layer_norm(rows, rows.shape[1:], eps=0.0)


RIGHT = {"standardise": [in_a_loop, as_a_norm]}

WRONG = [
    (
        "standardise",
        """
def standardise(rows):
    mean = rows.mean(1)
    return (rows - mean) / rows.std(1, correction=0, keepdim=True)
""",
        "`rows.mean(1)` drops the axis",
    ),
]
'''
