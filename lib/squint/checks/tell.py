"""What is said of an exception: where in the learner's code it arose, which shapes met there, and what it means."""

from __future__ import annotations

import ast
import linecache
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

import torch

from squint.checks import compare

_CHECKS, _PYTHON, _TORCH = (str(Path(module.__file__).parent) for module in (compare, ast, torch) if module.__file__)
_COURSE = str(Path(_CHECKS).parent)

MATMUL = "In a matrix product the inner sizes must agree: is one side to be transposed?"
BROADCAST = "These shapes do not broadcast: compare them axis by axis, from the last."
TRUTH = "A tensor is neither true nor false: ask `if x is not None`, or use .any() or .all()."

_MEANINGS = {
    "before Module.__init__() call": "Call super().__init__() first in __init__.",
    "on the same device": "A tensor that you make inside must live where the inputs do: pass device=….device.",
    "to have the same dtype": "A tensor that you make inside must have the inputs' dtype: pass dtype=….dtype.",
    "expected scalar type": "A tensor that you make inside must have the inputs' dtype: pass dtype=….dtype.",
    "must have the same dtype, but got Bool": "A mask stands where vectors should: hand it over by its name, mask=….",
    "cannot be multiplied": MATMUL,
    "must match the size of tensor": BROADCAST,
    "view size is not compatible": "After a transpose the numbers lie in another order in memory: use reshape.",
    "Boolean value of Tensor": TRUTH,
    "'Tensor' object is not callable": "A tensor was called as a function. Where a function is wanted, hand over the "
    "function itself, as in `lambda y: …`, and not what it returned.",
    "[ModuleList] is missing the required": "It is a list of modules: take one of them, as in norms[0].",
    "arange() received an invalid combination": "A number is wanted, how many there are, as in tokens.shape[1].",
    "unhashable type: 'list'": "A list cannot be counted: make it a tuple. `zip` wants each list by itself: zip(*(…)).",
    "is not in list": "`.index` looks for something that is not always there: ask `if … in …` first.",
    "Expected target size": "cross_entropy wants the vocabulary on the second axis: flatten(0, 1) logits and labels.",
    "must have the same number of dimensions": "gather wants an index with its table's axes: index[..., None].",
    "must have same number of dimensions": "Only tensors with equally many axes are joined: give the shorter one an "
    "axis, as in token[:, None].",
    "min() received an invalid combination": "torch.min wants tensors. Plain numbers take Python's own min.",
    "minimum(): argument": "torch.minimum wants tensors. Plain numbers take Python's own min.",
    "is out of bounds": "An index is too large for its axis: does it count something else?",
    "Could not infer sizes": "A bracket of the pattern holds several names, and einops cannot know how large each is: "
    "say all but one, as in heads=….",
}
"""What torch and einops mean where the place alone does not say it."""

_CALLS: dict[bool, dict[str, str]] = {
    True: {
        "required positional argument": "A call of yours leaves out an argument.",
        "positional argument": "A call of yours hands over more than is wanted.",
        "unexpected keyword argument": "A call of yours uses a name that the function does not know.",
    },
    False: {
        "required positional argument": "Where the exercise gives a parameter a default, as in mask=None, a call may "
        "leave it out: keep the default.",
        "positional argument": "Keep all parameters of the first line, in their order.",
        "unexpected keyword argument": "Keep the parameters' names where the exercise calls them by name.",
    },
}
"""What a call that does not fit means, by whether it is the learner's own."""


def raised(error: BaseException, in_short: bool = False) -> str:
    """What an exception was, where in the learner's code it arose, and what it means; in short, only what it was."""
    if isinstance(error, RecursionError):
        return "it calls itself for ever (RecursionError)."
    text = str(error).strip().splitlines()
    # einops says first what it was asked to do, and last what is wrong with it.
    reason = text[-1 if type(error).__name__ == "EinopsError" else 0].strip()[:200].rstrip(".") if text else ""
    sentence = f"it raised {type(error).__name__}" + (f": {reason}." if reason else ".")
    if in_short:
        return sentence
    trace = own_place(error)
    if trace is not None:
        sentence += _place(trace)
    calls = _CALLS[trace is not None] if isinstance(error, TypeError) else {}
    meaning = next((meaning for sign, meaning in (calls | _MEANINGS).items() if sign in str(error)), None)
    return f"{sentence} {meaning}" if meaning else sentence


def own_place(error: BaseException) -> TracebackType | None:
    """The innermost frame of the learner's own code that an exception passed; None if it was in none."""
    found, trace = None, error.__traceback__
    while trace is not None:
        if not elsewhere(trace.tb_frame.f_code):
            found = trace
        trace = trace.tb_next
    return found


def elsewhere(code: CodeType) -> bool:
    """Whether code is the course's, Python's or a library's."""
    return code.co_filename.startswith((_COURSE, _PYTHON, _TORCH)) or "site-packages" in code.co_filename


def _place(trace: TracebackType) -> str:
    """The line, and the shapes that met in its part that failed."""
    code, number = trace.tb_frame.f_code, trace.tb_lineno
    line = linecache.getline(code.co_filename, number)
    if not line.strip():
        return ""
    said = f" The line is `{line.strip()}` (line {number}{' of its cell' if _is_cell(code.co_filename) else ''})."
    shapes = _shapes(expression(code, trace.tb_lasti), trace.tb_frame.f_globals | trace.tb_frame.f_locals)
    return said + (f" There {shapes} meet." if shapes else "")


def expression(code: CodeType, instruction: int) -> str:
    """The part of a line that an instruction belongs to, as written; nothing if it runs over several."""
    first, last, begin, end = list(code.co_positions())[instruction // 2]
    if first is None or first != last or begin is None or end is None:
        return ""
    return linecache.getline(code.co_filename, first).encode()[begin:end].decode()


def _is_cell(file: str) -> bool:
    return "ipykernel" in file or file.startswith("<ipython-input")


def _shapes(text: str, names: dict[str, Any]) -> str:
    """Of the operands or arguments of an expression, those that are tensors: `query` (2, 4) and `key` (3, 4)."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return ""
    parts: list[ast.expr] = []
    if isinstance(node, ast.BinOp):
        parts = [node.left, node.right]
    elif isinstance(node, ast.Compare):
        parts = [node.left, *node.comparators]
    elif isinstance(node, ast.Call):
        parts = [*([node.func.value] if isinstance(node.func, ast.Attribute) else []), *node.args]
    found = []
    for part in parts:
        if any(isinstance(inner, ast.Call | ast.Lambda | ast.NamedExpr) for inner in ast.walk(part)):
            continue
        try:
            value = eval(compile(ast.Expression(part), "<place>", "eval"), names)  # noqa: S307
        except Exception:  # noqa: S112
            continue
        if isinstance(value, torch.Tensor):
            found.append(f"`{ast.unparse(part)}` {tuple(value.shape)}")
    return " and ".join(found) if len(found) > 1 else ""
