"""The source of a lab, `solutions/NN_name.py`: read, and refused with file and line where it breaks a rule.

A source is a percent-format script (jupytext). `read` gives a `Lab`; `solution_code` and `learner_code` give the two
faces of one of its cells.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupytext
import yaml

from squint.names import defines

from .project import Refusal, Refused

MAX_IGNORED_SHARE = 0.45
"""The largest share of a lab's code cells whose output nbval may ignore."""

IGNORE = "nbval-ignore-output"
HEADER_KEYS = ("lab", "title", "minutes", "promise", "prerequisites", "objectives", "claim", "source")
EXERCISE_KEYS = ("minutes", "difficulty", "teaches")
FORBIDDEN_TAGS = ("nbval-skip", "nbval-raises-exception", "raises-exception")
BEGIN, STUB, END = "### BEGIN SOLUTION", "### STUB", "### END SOLUTION"
YOUR_TURN = 'raise NotImplementedError("your turn")'

_MARKER = re.compile(r"# %%(\s|$)")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAGIC = re.compile(r"(^|=)\s*[%!?]")
_NBVAL_COMMENT = re.compile(r"\s*#\s*(NBVAL_|PYTEST_VALIDATE_)")

Refuse = Callable[[int, str], None]


@dataclass(frozen=True)
class Cell:
    """One cell of a source. `line` is that of its `# %%` marker; its text begins on the next."""

    kind: str
    line: int
    text: str
    metadata: dict[str, Any]

    @property
    def id(self) -> str:
        """The cell's id; the empty string where it has none."""
        return str(self.metadata.get("id", ""))

    @property
    def tags(self) -> list[str]:
        """The cell's tags."""
        return list(self.metadata.get("tags", []))

    @property
    def is_code(self) -> bool:
        """Whether the cell is code."""
        return self.kind == "code"


@dataclass(frozen=True)
class Lab:
    """A lab as its author wrote it: where it lies, its header, its cells."""

    path: Path
    header: dict[str, Any]
    cells: list[Cell]

    @property
    def name(self) -> str:
        """The lab's name, for example `02_attention`."""
        return self.path.stem

    @property
    def code(self) -> list[Cell]:
        """The code cells."""
        return [cell for cell in self.cells if cell.is_code]

    @property
    def exercises(self) -> list[Cell]:
        """The cells a learner fills in."""
        return [cell for cell in self.code if "exercise" in cell.tags]


@dataclass
class Block:
    """What stands between BEGIN SOLUTION and END SOLUTION: (line within the cell, text) pairs, counted from 0."""

    begin: int
    indent: str
    solution: list[tuple[int, str]] = field(default_factory=list)
    stub: list[tuple[int, str]] | None = None

    def stub_lines(self) -> list[str]:
        """What the learner finds in place of the block."""
        if self.stub is None:
            return [self.indent + YOUR_TURN]
        return [_uncomment(text) for _, text in self.stub]


def read(path: Path) -> Lab:
    """Read a source and hold it to the rules.

    Raises:
        Refused: it breaks some; every one found is listed with its line.
    """
    refusals: list[Refusal] = []

    def refuse(line: int, sentence: str) -> None:
        refusals.append(Refusal(path, line, sentence))

    lines = path.read_text(encoding="utf-8").splitlines()
    header, body = _read_header(path, lines, refuse)
    lab = Lab(path, header, _read_cells(lines, body, refuse))
    if not refusals:
        _check_ids(lab, refuse)
        _check_cells(lab, refuse)
        _check_exercises(lab, refuse)
        _check_lab(lab, refuse)
    if refusals:
        raise Refused(refusals)
    return lab


def solution_code(text: str) -> str:
    """A cell as the solution shows it: the stubs are left out, the solution's marks stay."""
    lines = text.splitlines()
    return "\n".join(lines[number] for number in solution_lines(text))


def solution_lines(text: str) -> list[int]:
    """The lines of a cell, counted from 0, that its solution shows."""
    drop = {line for block in _blocks(text) if block.stub is not None for line, _ in block.stub}
    return [i for i, line in enumerate(text.splitlines()) if i not in drop and line.strip() != STUB]


def learner_code(text: str) -> str:
    """A cell as the learner finds it: every solution block is replaced by its stub."""
    blocks = {block.begin: block for block in _blocks(text)}
    out: list[str] = []
    inside = False
    for number, line in enumerate(text.splitlines()):
        if number in blocks:
            out += blocks[number].stub_lines()
            inside = True
        elif line.strip() == END:
            inside = False
        elif not inside:
            out.append(line)
    return "\n".join(out)


def checked(code: str) -> set[str]:
    """The exercises that a cell checks: the first argument of each call of `check`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check" and node.args:
            for argument in node.args[:2]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    names.add(argument.value)
                elif isinstance(argument, ast.Name):
                    names.add(argument.id)
    return names


def _read_header(path: Path, lines: list[str], refuse: Refuse) -> tuple[dict[str, Any], int]:
    """The YAML header, and the line (from 0) at which the body begins."""
    end = next((i for i, line in enumerate(lines[1:], 1) if line.strip() == "# ---"), None)
    if not lines or lines[0].strip() != "# ---" or end is None:
        refuse(1, "The source does not begin with a header between two lines `# ---`.")
        return {}, 0
    try:
        header = yaml.safe_load("\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[1:end]))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        refuse(2 + (mark.line if mark else 0), "The header is not YAML: write values that hold a colon in quotes.")
        return {}, end + 1
    if not isinstance(header, dict) or not isinstance(header.get("squint"), dict):
        refuse(1, "The header has no `squint:` with the lab's keys below it.")
        return {}, end + 1
    _check_header(path, lines[:end], header["squint"], refuse)
    return header["squint"], end + 1


def _check_header(path: Path, lines: list[str], header: dict[str, Any], refuse: Refuse) -> None:
    def line_of(key: str) -> int:
        return next((i for i, line in enumerate(lines, 1) if line.lstrip("# ").startswith(f"{key}:")), 1)

    for key in HEADER_KEYS:
        if header.get(key) in (None, ""):
            refuse(line_of(key), f"The header says nothing for `{key}`.")
    for key in header:
        if key not in HEADER_KEYS:
            refuse(line_of(key), f"The header has an unknown key `{key}`; known are {', '.join(HEADER_KEYS)}.")
    for key in ("prerequisites", "objectives"):
        if key in header and not isinstance(header[key], list):
            refuse(line_of(key), f"`{key}` is not a list.")
    if "minutes" in header and not isinstance(header["minutes"], int):
        refuse(line_of("minutes"), "`minutes` is not a whole number.")
    if not re.fullmatch(r"\d\d[a-z]?_[a-z0-9_]+", path.stem):
        refuse(1, "The file's name is not NN_name.py, in lower case.")
    elif str(header.get("lab")) != (number := path.stem.partition("_")[0]):
        refuse(line_of("lab"), f'By its file the lab is "{number}" (in quotes), not {header.get("lab")}.')


def _read_cells(lines: list[str], body: int, refuse: Refuse) -> list[Cell]:
    """The cells as jupytext reads them, with the lines of their markers."""
    markers = [number for number, line in enumerate(lines, 1) if number > body and _MARKER.match(line)]
    for number, early in enumerate(lines[body : markers[0] - 1 if markers else None], body + 1):
        if early.strip():
            refuse(number, "This line stands before the first cell.")
            return []
    for number in markers:
        if re.search(r"\btags=(?!\[)", lines[number - 1]):
            refuse(number, 'The tags are not a list; write tags=["…"].')
            return []
    # Comments that look like magics are prose here, so jupytext must not bring them to life.
    how = {"extension": ".py", "format_name": "percent", "comment_magics": False}
    text = "\n".join(lines[markers[0] - 1 :]) + "\n" if markers else ""
    parsed = jupytext.reads(text, fmt=how).cells if text else []
    if not parsed:
        refuse(1, "The lab has no cells.")
    if len(parsed) != len(markers):
        refuse(markers[0] if markers else 1, "A line that begins with `# %%` stands inside a string of this lab.")
        return []
    cells = []
    for line, cell in zip(markers, parsed, strict=True):
        metadata = {key: value for key, value in cell.metadata.items() if key != "lines_to_next_cell"}
        if "incorrectly_encoded_metadata" in metadata:
            refuse(line, 'The metadata of this cell cannot be read; write key="text" or key=["a", "b"].')
        if cell.cell_type == "raw":
            refuse(line, "A lab has no raw cells.")
        cells.append(Cell(cell.cell_type, line, cell.source, metadata))
    return cells


def _check_ids(lab: Lab, refuse: Refuse) -> None:
    first: dict[str, int] = {}
    for cell in lab.cells:
        if not cell.id:
            refuse(cell.line, 'The cell has no id; write `# %% id="…"`.')
        elif not _ID.fullmatch(cell.id):
            refuse(cell.line, f'The id "{cell.id}" is not 1 to 64 letters, digits, `_` or `-`.')
        elif cell.id in first:
            refuse(cell.line, f'The id "{cell.id}" is taken by the cell at line {first[cell.id]}.')
        first.setdefault(cell.id, cell.line)


def _check_cells(lab: Lab, refuse: Refuse) -> None:
    for cell in lab.cells:
        for key in cell.metadata:
            if key not in ("id", "tags", *EXERCISE_KEYS):
                refuse(cell.line, f"Unknown metadata `{key}`.")
        for tag in FORBIDDEN_TAGS:
            if tag in cell.tags:
                refuse(cell.line, f"The tag `{tag}` hides what a cell does: every cell of a lab runs and is judged.")
        if not cell.is_code:
            continue
        for number, line in enumerate(cell.text.splitlines(), cell.line + 1):
            if _NBVAL_COMMENT.match(line):
                refuse(number, f"Say it with a tag (`{IGNORE}`), not with a comment.")
        if "exercise" not in cell.tags and any(mark in cell.text for mark in (BEGIN, END)):
            refuse(cell.line, "A solution block stands in a cell that is not tagged `exercise`.")
        elif "exercise" not in cell.tags:
            _check_python(cell, refuse)


def _check_python(cell: Cell, refuse: Refuse) -> bool:
    try:
        ast.parse(cell.text)
    except SyntaxError as error:
        line = (error.lineno or 1) - 1
        lines = cell.text.splitlines()
        if line < len(lines) and _MAGIC.search(lines[line]):
            refuse(cell.line + 1 + line, "Magics and shell lines are not allowed: a lab is plain Python.")
        else:
            refuse(cell.line + 1 + line, f"This is not Python: {error.msg}.")
        return False
    return True


def _check_exercises(lab: Lab, refuse: Refuse) -> None:
    for position, cell in enumerate(lab.cells):
        if not cell.is_code or "exercise" not in cell.tags:
            continue
        for key in EXERCISE_KEYS:
            if cell.metadata.get(key) in (None, ""):
                refuse(cell.line, f"The exercise `{cell.id}` says nothing for `{key}`.")
        difficulty, minutes = cell.metadata.get("difficulty"), cell.metadata.get("minutes")
        if difficulty is not None and (not isinstance(difficulty, int) or not 1 <= difficulty <= 5):
            refuse(cell.line, f"The difficulty of `{cell.id}` is {difficulty}, not a whole number from 1 to 5.")
        if minutes is not None and (not isinstance(minutes, int) or minutes < 1):
            refuse(cell.line, f"The minutes of `{cell.id}` are {minutes}, not a whole number from 1 up.")
        if not cell.id.isidentifier():
            refuse(cell.line, f'The id of an exercise is the name that is defined there; "{cell.id}" cannot be a name.')
        if IGNORE in cell.tags:
            refuse(cell.line, "The output of an exercise is compared: print nothing, or what does not vary.")
        if not _check_blocks(cell, refuse):
            continue
        if cell.id.isidentifier() and cell.id not in defines(solution_code(cell.text)):
            refuse(cell.line, f"The solution does not define `{cell.id}`, the name that its id promises.")
        if not any(_checks(later, cell.id) for later in lab.cells[position + 1 :]):
            refuse(cell.line, f'No check cell comes after it: `{cell.id} = check("{cell.id}")` tagged `check`.')


def _checks(cell: Cell, name: str) -> bool:
    try:
        return cell.is_code and "check" in cell.tags and name in checked(cell.text)
    except SyntaxError:
        return False


def _check_blocks(cell: Cell, refuse: Refuse) -> bool:
    """Whether the solution blocks of an exercise are sound, and both faces of the cell are Python."""
    opened: int | None = None
    stub = sound = False
    for number, line in enumerate(map(str.strip, cell.text.splitlines()), cell.line + 1):
        wrong = None
        if line == BEGIN:
            wrong = f"A solution block begins inside the one of line {opened}." if opened else None
            opened, stub, sound = number, False, True
        elif line == END:
            wrong = None if opened else "A solution block ends here that did not begin."
            opened = None
        elif line == STUB:
            wrong = "A stub stands outside a solution block." if not opened else None
            wrong = "The solution block has a second stub." if stub else wrong
            stub = True
        elif opened and stub and line and not line.startswith("#"):
            wrong = "A line of a stub is commented with `# `."
        if wrong:
            refuse(number, wrong)
            return False
    if opened:
        refuse(opened, f"The solution block does not close: `{END}` is missing.")
        return False
    if not sound:
        refuse(cell.line, f"The exercise has no solution block (`{BEGIN}` … `{END}`).")
        return False
    sound = _check_python(cell, refuse)
    for block in _blocks(cell.text):
        sound = _check_stub(cell, block, refuse) and sound
    try:
        ast.parse(learner_code(cell.text))
    except SyntaxError as error:
        if sound:
            refuse(cell.line, f"With its stub, the cell is not Python: {error.msg}: {(error.text or '').strip()}")
        return False
    return sound


def _check_stub(cell: Cell, block: Block, refuse: Refuse) -> bool:
    """Each line of a stub is one of its solution's, where `...` stands for what is left out."""
    solution = [text.strip() for _, text in block.solution]
    sound = True
    for number, commented in block.stub or []:
        line = _uncomment(commented).strip()
        if not line or line.startswith("#") or line == YOUR_TURN:
            continue
        pattern = re.compile(".*".join(map(re.escape, line.split("..."))))
        if not any(pattern.fullmatch(text) for text in solution):
            refuse(cell.line + 1 + number, f"This line of the stub is not in its solution: {line}")
            sound = False
    return sound


def _check_lab(lab: Lab, refuse: Refuse) -> None:
    setups = [cell for cell in lab.code if "setup" in cell.tags]
    if len(setups) != 1 or lab.code[0] is not setups[0]:
        refuse(setups[-1].line if setups else 1, "The first code cell, and no other, is tagged `setup`.")
    for cell in lab.code:
        if "check" in cell.tags and IGNORE in cell.tags:
            refuse(cell.line, "The output of a check is compared, so it is not ignored.")
    ignored = [cell for cell in lab.code if IGNORE in cell.tags]
    if len(ignored) > MAX_IGNORED_SHARE * len(lab.code):
        sentence = f"{len(ignored)} of {len(lab.code)} code cells have their output ignored"
        refuse(ignored[-1].line, f"{sentence}; at most {MAX_IGNORED_SHARE:.0%} may.")


def _blocks(text: str) -> list[Block]:
    """The solution blocks of a cell whose marks are in order."""
    blocks: list[Block] = []
    inside = False
    for number, line in enumerate(text.splitlines()):
        mark = line.strip()
        if mark == BEGIN:
            blocks.append(Block(number, line[: len(line) - len(line.lstrip())]))
            inside = True
        elif mark == END:
            inside = False
        elif inside and mark == STUB:
            blocks[-1].stub = []
        elif inside:
            stub = blocks[-1].stub
            (blocks[-1].solution if stub is None else stub).append((number, line))
    return blocks


def _uncomment(line: str) -> str:
    """A stub's line as code: the comment sign goes, the indentation before and after it stays."""
    return re.sub(r"^(\s*)# ?", r"\1", line)
