"""A learner's own code as a tree into which small changes are put, tried, and taken out again.

A change that makes an answer right *is* the mistake (Singh, Gulwani and Solar-Lezama 2013, “Automated feedback
generation”). What is tried stands in `slips`, for expressions, and below for whole lines.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from squint.checks import slips
from squint.checks.slips import Place, show
from squint.checks.solution import Solution

Undo = Callable[[], None]


@dataclass(frozen=True)
class Repair:
    """One change of a learner's code.

    Attributes:
        cost: the lower, the likelier it is that somebody slips like that.
        sentence: the kind of slip, and its place within the line.
        line: the number of the line.
        put: makes the change, and returns what takes it back.
        fix: what to do, where it is not to write the line as the tree has it then.
        change: of an expression, its text before and after.
    """

    cost: float
    sentence: str
    line: int
    put: Callable[[], Undo]
    fix: str = ""
    change: tuple[str, str] = ("", "")


class Code:
    """The functions and classes of an answer's cell, as a tree, and the names that they use."""

    def __init__(self, lines: list[str], definitions: list, name: str, names: dict[str, Any], file: str) -> None:
        self.lines, self.definitions, self.name, self.names, self.file = lines, definitions, name, names, file
        self._module = ast.Module(definitions, [])

    @classmethod
    def of(cls, answer: Any) -> Code | None:
        """An answer's code, where Python remembers it; of a cell, all its functions and classes."""
        functions = [f for f in [answer, *getattr(answer, "__dict__", {}).values()] if inspect.isfunction(f)]
        if not functions:
            return None
        code, name = functions[0].__code__, answer.__name__
        lines = linecache.getlines(code.co_filename)
        try:
            tree = ast.parse("".join(lines))
        except SyntaxError:
            return None
        mine: list[Any] = [n for n in ast.walk(tree) if _is_definition(n, name) and _holds(n, code.co_firstlineno)]
        if name == "<lambda>":
            found = [n for n in ast.walk(tree) if isinstance(n, ast.Lambda) and n.lineno == code.co_firstlineno]
            mine = [_as_function(n, name := "answer") for n in found] if len(found) == 1 else []
        if not mine:
            return None
        cell = mine[-1] in tree.body and len(lines) < 400
        definitions = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)] if cell else mine[-1:]
        names = dict(functions[0].__globals__)
        for free, held in zip(functions[0].__code__.co_freevars, functions[0].__closure__ or (), strict=True):
            if free != "__class__":
                names[free] = held.cell_contents
        return cls(lines, definitions, name, names, code.co_filename)

    @classmethod
    def of_solution(cls, solution: Solution) -> Code:
        """An exercise's solution, as code that slips can be put into."""
        names, code = solution.source.resolve(solution.code), solution.code
        definitions = [n for n in ast.parse(code).body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        return cls(code.splitlines(), definitions, solution.name, names, f"<{solution.name}>")

    def make(self) -> Any:
        """What the code makes as it stands now; None where it cannot be made."""
        scope = dict(self.names)
        try:
            exec(compile(self._module, self.file, "exec"), scope)  # noqa: S102
        except Exception:
            return None
        return scope[self.name]

    def line(self, number: int) -> str:
        """A line of the learner's, as written."""
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""

    def correction(self, *repairs: Repair) -> str:
        """The learner's lines as they should read."""
        back = _put_all(list(repairs))
        lines = {r.line: f"{self.line(r.line)}  →  {r.fix or self._now(r.line)}" for r in repairs}
        back()
        return "\n".join(lines[number] for number in sorted(lines))

    def _now(self, number: int) -> str:
        """The statement of that line as it stands in the tree now."""
        found = [n for n in ast.walk(self._module) if isinstance(n, ast.stmt) and _holds(n, number)]
        return ast.unparse(found[-1]).splitlines()[0] if found else ""

    def repairs(self, given: dict[str, Any] | None = None) -> list[Repair]:
        """All changes that are tried, the likeliest slips first; `given` are the arguments of a call, by name."""
        plain = {name for name, value in (given or {}).items() if type(value) in (int, float)}
        found = [repair for definition in self.definitions for repair in _of_expressions(definition, plain)]
        found += _repeated(found)
        found += [repair for definition in self.definitions for repair in _of_lines(definition)]
        return sorted(found, key=lambda repair: repair.cost)


def _is_definition(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name


def _holds(node: ast.AST, line: int) -> bool:
    """Whether a statement, its decorators included, has that line."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])  # type: ignore[attr-defined]
    return first <= line <= (node.end_lineno or first)  # type: ignore[attr-defined]


def _as_function(node: ast.Lambda, name: str) -> ast.FunctionDef:
    """A lambda as the function that it is short for."""
    body = ast.copy_location(ast.Return(node.body), node.body)
    return ast.fix_missing_locations(ast.copy_location(ast.FunctionDef(name, node.args, [body], []), node))


# Expressions


def _of_expressions(definition: ast.stmt, given: set[str]) -> Iterator[Repair]:
    for place, index in _places(definition, given):
        before = ast.unparse(place.node)
        seen = {before}
        for cost, sentence, new in slips.changes(place):
            change = (before, ast.unparse(new)) if cost < 2.3 else ("", "")
            if change[1] not in seen:
                seen |= {change[1]} - {""}
                yield Repair(cost, sentence, place.node.lineno, partial(_put, place, index, new), change=change)


def _put(place: Place, index: int | None, new: ast.expr) -> Undo:
    before = _set(place, index, _located(new, place.node))
    return lambda: None if _set(place, index, before) else None


def _located(new: ast.expr, old: ast.AST) -> ast.expr:
    """The new parts of an expression get the place of what stood there; parts that have one keep it."""
    if not hasattr(new, "lineno"):
        ast.copy_location(new, old)
        for part in ast.iter_child_nodes(new):
            _located(part, old)  # type: ignore[arg-type]
    return new


def _set(place: Place, index: int | None, node: ast.AST) -> ast.AST:
    """Puts a node there, and returns what stood there."""
    held = getattr(place.parent, place.field)
    if index is None:
        setattr(place.parent, place.field, node)
        return held
    before, held[index] = held[index], node
    return before


def _repeated(found: list[Repair]) -> list[Repair]:
    """The same slip at two to four places: a name taken for another throughout, both lengths taken the same way."""
    groups: dict[tuple[str, ...], list[Repair]] = {}
    for repair in found:
        groups.setdefault(repair.change, []).append(repair)
        alike = tuple(re.sub(r"(?<!\.)\b[a-z_]\w*\b(?![(=])", "_", text) for text in repair.change)
        if "_" not in alike:
            groups.setdefault(alike, []).append(repair)
    several = []
    for same in groups.values():
        if 1 < len(same) < 5 and same[0].change[0]:
            first = min(same, key=lambda repair: repair.line)
            more = {repair.line for repair in same} - {first.line}
            sentence = first.sentence + (f", and once more in line {min(more)}" if more else ", more than once")
            several.append(Repair(first.cost + 0.25, sentence, first.line, partial(_put_all, same)))
    return several


def _put_all(repairs: list[Repair]) -> Undo:
    backs = [repair.put() for repair in repairs]

    def back() -> None:
        for each in reversed(backs):
            each()

    return back


def _places(definition: ast.stmt, given: set[str]) -> Iterator[tuple[Place, int | None]]:
    """Every expression of a definition's bodies, with the names that are known there."""
    on_self = [n.attr for n in ast.walk(definition) if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "self"]
    numbers, lists, attributes = _numbers(definition, given), _lists(definition), sorted(set(on_self))
    stored, loaded = ([n.id for n in ast.walk(definition) if isinstance(n, ast.Name) and isinstance(n.ctx, ctx)]
                      for ctx in (ast.Store, ast.Load))  # fmt: skip
    once = frozenset(name for name in stored if loaded.count(name) == 1)

    def within(node: ast.AST, names: list[str]) -> Iterator[tuple[Place, int | None]]:
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "bases"):
                continue
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(child, ast.FunctionDef | ast.Lambda):
                    yield from within(child, [*names, *_names(child)])
                elif isinstance(child, ast.expr):
                    yield Place(child, node, field, names, numbers, lists, attributes, once), index
                    yield from within(child, names)
                elif isinstance(child, ast.AST) and not _is_text(child):
                    yield from within(child, names)

    yield from within(definition, _names(definition) if isinstance(definition, ast.FunctionDef) else [])


def _names(function: ast.FunctionDef | ast.Lambda) -> list[str]:
    """Parameters first, then what is assigned inside."""
    arguments = [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return [a for a in arguments if a != "self"] + sorted(stored - set(arguments))


def _numbers(definition: ast.stmt, given: set[str]) -> set[str]:
    """The names that hold plain numbers: parameters that were given one, sizes, what a range counts, their sums."""
    numbers = set(given)
    for node in [*ast.walk(definition)] * 2:
        match node:
            case ast.For(target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range"))):
                numbers.add(name)
            case ast.comprehension(target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range"))):
                numbers.add(name)
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Attribute(attr="shape")):
                numbers |= {n.id for n in names if isinstance(n, ast.Name)}
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if slips.is_number(value, numbers):
                numbers.add(name)
    return numbers


def _lists(definition: ast.stmt) -> set[str]:
    """The names that hold lists."""
    assigned = [n for n in ast.walk(definition) if isinstance(n, ast.Assign)]
    made = [n for n in assigned if re.match(r"\[|list\(", ast.unparse(n.value))]
    grown = [n.func.value for n in ast.walk(definition) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
             and n.func.attr in ("append", "extend", "insert")]  # fmt: skip
    return {n.id for n in [*(target for each in made for target in each.targets), *grown] if isinstance(n, ast.Name)}


def _is_text(statement: ast.AST) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


# Whole lines

Move = tuple[float, str, ast.stmt, list[tuple[list[ast.stmt], list[ast.stmt]]], str]
"""A cost, a sentence, the line it is about, blocks with what each is to hold, and what to do."""


def _of_lines(definition: ast.stmt) -> Iterator[Repair]:
    """Lines that are too many, too early, or inside the wrong block; loops that end wrongly; defaults."""
    for owner in ast.walk(definition):
        for field in ("body", "orelse"):
            block = getattr(owner, field, None)
            if isinstance(block, list) and block and not isinstance(owner, ast.ClassDef):
                for cost, sentence, statement, moves, fix in _moves(block):
                    yield Repair(cost, sentence, statement.lineno, partial(_rearrange, moves), fix)
        if isinstance(owner, ast.FunctionDef):
            yield from _defaults(owner)


def _rearrange(moves: list[tuple[list[ast.stmt], list[ast.stmt]]]) -> Undo:
    before = [list(block) for block, _ in moves]
    for block, new in moves:
        block[:] = new

    def back() -> None:
        for (block, _), old in zip(moves, before, strict=True):
            block[:] = old

    return back


def _moves(block: list[ast.stmt]) -> Iterator[Move]:
    for i, statement in enumerate(block):
        before, after = block[:i], block[i + 1 :]
        if _is_text(statement) or isinstance(statement, ast.FunctionDef):
            continue
        if len(block) > 1:
            yield 1.8, "this line is too much", statement, [(block, before + after)], "leave it out"
        for n in (1, 2):
            if len(after) >= n and not any(isinstance(s, ast.Return) for s in [statement, *after[:n]]):
                later, fix = [*before, *after[:n], statement, *after[n:]], f"put it below `{show(after[n - 1])}`"
                yield 1.3 + n / 5, "this line comes too early", statement, [(block, later)], fix
        for cost, sentence, new in _other_statements(statement):
            yield cost, sentence, statement, [(block, [*before, *new, *after])], ""
        if isinstance(statement, ast.For | ast.While | ast.If | ast.With):
            yield from _edges(block, before, statement, after)


def _other_statements(statement: ast.stmt) -> Iterator[tuple[float, str, list[ast.stmt]]]:
    def put(new: ast.stmt) -> list[ast.stmt]:
        return [ast.fix_missing_locations(ast.copy_location(new, statement))]

    match statement:
        case ast.If(test=test, body=body):
            yield 1.8, f"`{show(test)}` need not be asked", body
        case ast.AugAssign(target=target, value=value, op=op):
            yield 1, "this line adds to what should be set anew", put(ast.Assign([target], value))
            for other in (ast.Add(), ast.Sub(), ast.Mult(), ast.Div()):
                if type(other) is not type(op):
                    yield 1, "another operation belongs in this line", put(ast.AugAssign(target, other, value))
        case ast.Assign(targets=[ast.Name() | ast.Subscript() as target], value=value):
            for cost, op in ((1.2, ast.Add()), (1.6, ast.BitOr()), (1.6, ast.Mult())):
                yield cost, "this line forgets what it had found before", put(ast.AugAssign(target, op, value))


def _edges(
    block: list[ast.stmt], before: list[ast.stmt], owner: ast.For | ast.While | ast.If | ast.With, after: list[ast.stmt]
) -> Iterator[Move]:
    """Lines just outside or inside the beginning or end of a loop or block, on the wrong side of it."""
    inner, kind = owner.body, "loop" if isinstance(owner, ast.For | ast.While) else "block"
    last, first, says = inner[-1], inner[0], "this line stands {} the " + kind + " and belongs {} it"
    if len(inner) > 1:
        out = [(inner, inner[:-1]), (block, [*before, owner, last, *after])]
        yield 1.2, says.format("inside", "behind"), last, out, f"put it behind the {kind}"
        out = [(inner, inner[1:]), (block, [*before, first, owner, *after])]
        anew = "this line stands inside the loop, so it starts anew in every round"
        yield 1.2, anew if kind == "loop" else says.format("inside", "before"), first, out, f"put it before the {kind}"
    if after and not isinstance(after[0], ast.FunctionDef):
        into = [(inner, [*inner, after[0]]), (block, [*before, owner, *after[1:]])]
        yield 1.3, says.format("behind", "inside"), after[0], into, f"put it at the end of the {kind}"
    if before and isinstance(before[-1], ast.Assign | ast.AugAssign | ast.Expr) and not _is_text(before[-1]):
        into = [(inner, [before[-1], *inner]), (block, [*before[:-1], owner, *after])]
        yield 1.4, says.format("before", "inside"), before[-1], into, f"put it at the beginning of the {kind}"
    if kind == "loop":
        stop = [*inner, ast.copy_location(ast.Break(), last)]
        yield 2, "the loop goes on for too long", owner, [(inner, stop)], "break at the end of its first round"


def _defaults(function: ast.FunctionDef) -> Iterator[Repair]:
    """Defaults that are another number, or True for False."""
    arguments = function.args
    for i, default in enumerate(arguments.defaults):
        name = arguments.args[len(arguments.args) - len(arguments.defaults) + i].arg
        place = Place(default, arguments, "defaults", [], set(), set(), [])
        for value in (0, 1, 2, 1e-5, 1e-6, 1e-8, 0.1, 0.5, 4, 4000, True, False, None):
            if isinstance(default, ast.Constant) and value is not default.value:
                change = partial(_put, place, i, ast.Constant(value))
                yield Repair(2, f"the default of `{name}` is another one", function.lineno, change)
