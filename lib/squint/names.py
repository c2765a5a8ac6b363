"""What a cell's text defines and what it uses: by that one finds out on which other cells it hangs. Nothing is run."""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Iterator
from functools import cache

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What Python raises over a text that it cannot read."""

_DEFINITION = re.compile(r"^(?:(?:async\s+)?def|class)\s+(\w+)|^(\w+)\s*(?::[^=\n]*)?=(?!=)", re.MULTILINE)
_FILLS = re.compile(r"^(append|extend|insert|update|add|setdefault|load_state_dict)$|[^_]_$")


def statements(code: str) -> Iterator[ast.stmt]:
    """The statements that the cell itself runs: those under `if`, `for`, `with` and `try` too, no function's body.

    Raises:
        SyntaxError: (or another of `UNREADABLE`) it is not Python.
    """
    waiting: list[ast.AST] = [ast.parse(code)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            waiting += reversed(list(ast.iter_child_nodes(node)))


def defines(code: str) -> set[str]:
    """The names to which a cell gives a meaning: by def, class, import or assignment. A loop's variable is none."""
    try:
        return set().union(*map(defined, statements(code)))
    except UNREADABLE:
        return {function or value for function, value in _DEFINITION.findall(code)}


def defined(node: ast.stmt) -> set[str]:
    """The names that one statement defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(each.asname or each.name).partition(".")[0] for each in node.names}
    if not isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr):
        return set()
    targets: list[ast.expr] = [each.target for each in ast.walk(node) if isinstance(each, ast.NamedExpr)]
    targets += node.targets if isinstance(node, ast.Assign) else []
    targets += [node.target] if isinstance(node, ast.AnnAssign) and node.value else []
    return {part.id for each in targets for part in ast.walk(each) if isinstance(getattr(part, "ctx", None), ast.Store)
            and isinstance(part, ast.Name)}  # fmt: skip


@cache
def steps(code: str) -> tuple[str, ...]:
    """A cell's outermost statements, each as a text of its own."""
    try:
        return tuple(map(ast.unparse, ast.parse(code).body))
    except UNREADABLE:
        return (code,)


@cache
def changes(code: str) -> frozenset[str]:
    """The names that may mean something else after a cell has run.

    Those too of which it sets a part (`x[0] = 1`), or which it fills (`x.append(1)`, `x.zero_()`).
    """
    try:
        symbols = symtable.symtable(code, "cell", "exec").get_symbols()
        parts = [part for node in statements(code) for part in ast.walk(node)]
    except UNREADABLE:
        return frozenset(defines(code))
    names = {one.get_name() for one in symbols if one.is_assigned() or one.is_imported() or one.is_namespace()}
    names |= {"*"} & defines(code)  # from somewhere import *
    for part in parts:
        filler = part.func if isinstance(part, ast.Call) else None
        filled = isinstance(filler, ast.Attribute) and _FILLS.search(filler.attr)
        if filled or (isinstance(part, ast.Subscript | ast.Attribute) and isinstance(part.ctx, ast.Store)):
            names |= {each.id for each in ast.walk(filler or part) if isinstance(each, ast.Name)}
    return frozenset(names)


@cache
def uses(code: str) -> frozenset[str]:
    """The names that a cell and its functions look up outside themselves."""
    try:
        tables = [symtable.symtable(code, "cell", "exec")]
    except UNREADABLE:
        return frozenset(re.findall(r"\w+", code))
    for table in tables:
        tables += table.get_children()
    symbols = [one for table in tables for one in table.get_symbols()]
    return frozenset(one.get_name() for one in symbols if one.is_referenced() and one.is_global())
