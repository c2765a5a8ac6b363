"""How people slip: rules that rewrite a piece of code into what should have stood there, with a cost and a sentence.

The lower the cost, the likelier the slip. A sentence says of what kind the slip is and where (`{}` is the piece of code
as it stands), and not what belongs there. (An error model after Singh, Gulwani and Solar-Lezama 2013, §4.)
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

RULES = """
l + r ↔ l - r                    1    in `{}` the sign is wrong
l * r → l / r                    1    in `{}` there is a multiplication where one divides
l / r → l * r                    1    in `{}` there is a division where one multiplies
l // r ↔ l % r                   1    quotient and rest are mixed up in `{}`
l // r → l / r                   1    the quotient `{}` is cut to a whole number
l & r ↔ l | r                    1    “and” and “or” are mixed up in `{}`
l * r → l @ r                    1.5  the product `{}` is taken entry by entry
l @ r → l * r                    1.5  `{}` is a matrix product, and the product of each entry is wanted
l * r ↔ l ** r                   1.5  product and power are mixed up in `{}`
l + r → l * r                    2    the parts of `{}` are added and should be multiplied
l * r → l + r                    2    the parts of `{}` are multiplied and should be added
l - r → l / r                    2    in `{}` one part is subtracted and should be divided by
l / r → l - r                    2    in `{}` one part is divided by and should be subtracted
l ^ r → l ** r                   1    `^` is no power in Python: look at `{}`
l ^ r → l & r                    1    another logical operation belongs in `{}`
l ** m / r → l ** (m / r)        1.2  a power binds before the rest: brackets are missing in `{}`
k / l ** m / r → k / l ** (m / r)    1.2  a power binds before the rest: brackets are missing in `{}`
k * l ** m / r → k * l ** (m / r)    1.2  a power binds before the rest: brackets are missing in `{}`
l ** m * r → l ** (m * r)        1.2  a power binds before the rest: brackets are missing in `{}`
-l ** r → (-l) ** r              1.2  a power binds before the minus: brackets are missing in `{}`
l < r ↔ l <= r                   1    the comparison `{}` is off by one
l > r ↔ l >= r                   1    the comparison `{}` is off by one
l < r ↔ l > r                    1    the comparison `{}` is the wrong way round
l <= r ↔ l >= r                  1    the comparison `{}` is the wrong way round
l < r ↔ l >= r                   1.2  the comparison `{}` asks the opposite
l > r ↔ l <= r                   1.2  the comparison `{}` asks the opposite
l == r ↔ l != r                  1    the comparison `{}` asks the opposite
l == r → l <= r → l >= r         2    the comparison `{}` asks for too little
l != r → l < r → l > r           2    the comparison `{}` lets too much through
l in r ↔ l not in r              1    `{}` asks the opposite
l is r ↔ l is not r              1    `{}` asks the opposite
-it → it                         1    `{}` has the wrong sign
~it → it                         1    `{}` says True where False belongs, and the reverse
not it → it                      1    `{}` asks the opposite
it.T → it                        1    `{}` is turned over and should not be
it.mT → it                       1    `{}` is turned over and should not be
it.T ↔ it.mT                     1.1  `{}` turns other axes than it should
it.values ↔ it.indices           1    `{}` takes the wrong one of two parts
l if t else r → r if t else l    1    the two branches of `{}` are swapped
range(n) → range(n + 1) → range(n - 1) → range(1, n + 1) → range(1, n)                     1  `{}` is off by one
range(m, n) → range(m, n + 1) → range(m, n - 1) → range(m - 1, n) → range(m + 1, n)        1  `{}` is off by one
range(m, n) → range(n)                                                                     1.2  `{}` begins too late
range(m, n, k) → range(m, n + 1, k) → range(m, n - 1, k) → range(m, n)                     1  `{}` is off by one
l.masked_fill(r, m) → r.masked_fill(l, m)                                                  1  `{}` has its sides swapped
min(l, r) → r.clamp(max=l) → l.clamp(max=r)            1    `{}` wants plain numbers: of a tensor it is .clamp(max=…)
max(l, r) → r.clamp(min=l) → l.clamp(min=r)            1    `{}` wants plain numbers: of a tensor it is .clamp(min=…)
torch.min(l, r) → r.clamp(max=l) → l.clamp(max=r)      0.9  `{}` wants two tensors: with a number it is .clamp(max=…)
torch.max(l, r) → r.clamp(min=l) → l.clamp(min=r)      0.9  `{}` wants two tensors: with a number it is .clamp(min=…)
torch.minimum(l, r) → r.clamp(max=l) → l.clamp(max=r)  0.9  `{}` wants two tensors: with a number it is .clamp(max=…)
torch.maximum(l, r) → r.clamp(min=l) → l.clamp(min=r)  0.9  `{}` wants two tensors: with a number it is .clamp(min=…)
torch.sqrt(l) → math.sqrt(l)     0.9  `{}` wants a tensor: of a plain number it is math.sqrt(…)
l.sqrt() → math.sqrt(l)          0.9  `{}` wants a tensor: of a plain number it is math.sqrt(…)
math.sqrt(l) → l.sqrt()          0.9  `{}` wants a plain number: of a tensor it is ….sqrt()
F.one_hot(l, r) → F.one_hot(l, r).float()              0.9  `{}` holds whole numbers, where floats are wanted
l.mean() → l.float().mean()                            0.95  `{}` is a mean of what is no float: .float() first
l.mean(r) → l.float().mean(r)                          0.95  `{}` is a mean of what is no float: .float() first
l.mean(dim=r) → l.float().mean(dim=r)                  0.95  `{}` is a mean of what is no float: .float() first
it → -it                         1.6  `{}` has the wrong sign
it → it + 1 → it - 1             1.9  `{}` is off by one
it → 1 - it                      2    `{}` stands where its rest to one belongs
it → 1 / it                      2    `{}` stands where one over it belongs
it → it ** 0.5                   2    a root is missing at `{}`
it → it ** 2                     2    a square is missing at `{}`
"""
"""Each line: what stands there → what may belong there (↔: either way), the cost, the sentence. Single letters stand
for any expression; the rules for a lone `it` say what may be missing around it."""

TENSOR_RULES = """
it → ~it                                                        1.6  `{}` says True where False belongs, and the reverse
it → it[:, None] → it[None] → it[..., None] → it[None, :]       1.6  `{}` lacks an axis, or has it at the wrong place
it → it[:, None, :] → it[:, :, None] → it[..., None, :]         1.8  `{}` lacks an axis, or has it at the wrong place
it → it[1:] → it[:-1] → it[:, 1:] → it[:, :-1] → it[0] → it[-1] → it[..., 0]      2    `{}` holds more than is wanted
it → it.exp()                                                   2    an exponential is missing at `{}`
it → it.log()                                                   2    a logarithm is missing at `{}`
it → it.abs()                                                   2    only the size of `{}` should count, not its sign
it → it.mT → it.T                                               2    `{}` should be turned over
it → it.sum(-1) → it.sum(1) → it.sum()                          2.5  a sum is missing at `{}`
it → it.mean(-1) → it.mean(1) → it.mean()                       2.5  a mean is missing at `{}`
it → it.softmax(-1)                                             2.5  a softmax is missing at `{}`
it → it.log_softmax(-1)                                         2.5  a log_softmax is missing at `{}`
it → it.float()                                                 2.5  `{}` should be floats
it → it.long()                                                  2.5  `{}` should be whole numbers
it → it.bool()                                                  2.5  `{}` should be True and False
it → it.item() → it.tolist()                                    2.5  `{}` should be plain numbers
it → it.indices → it.values                                     2.5  `{}` holds two parts, and one is wanted
it → it.clamp(max=1)                                            2.5  `{}` may grow too large
it → it.clamp(min=0)                                            2.5  `{}` may fall below zero
it → it.transpose(1, 2)                                         2.5  two axes of `{}` should change places
"""

FACTOR_RULES = """
it → it * other                  3    a factor is missing at `{}`
it → it / other                  3    a division is missing at `{}`
it → it + other → it - other     3    a term is missing at `{}`
it → it & other                  3    a condition is missing at `{}`
it → it @ other                  3    a matrix product is missing at `{}`
it → it / other.shape[-1] → it / other.shape[-1] ** 0.5         3    a division is missing at `{}`
"""

RELATIVES = """
mean sum median prod · amax amin max min · argmax argmin · argmax max amax · any all · softmax log_softmax sigmoid
sin cos tan · var std · exp log log2 log10 expm1 · zeros ones empty · zeros_like ones_like · new_zeros new_ones
triu tril · sigmoid logsigmoid · log_softmax log · maximum minimum · sort argsort · append extend · cat stack
square sqrt abs · view reshape · repeat repeat_interleave · floor ceil round · mul div · add sub
mean norm sum · lt le gt ge · clamp_min clamp_max · dot outer · cumsum cumprod
"""
_RELATIVES = [set(words.split()) for words in RELATIVES.replace("\n", "·").split("·") if words.strip()]
_ALONG = set("""
sum mean norm std var softmax log_softmax max min amax amin argmax argmin topk logsumexp cumsum cat stack normalize sort
argsort unsqueeze squeeze any all gather index_select cosine_similarity flip roll median prod split chunk flatten
""".split())  # fmt: skip  # noqa: SIM905
_KEEPING = set("sum mean norm std var max min amax amin logsumexp any all argmax argmin median prod".split())  # noqa: SIM905
_ASKED = {"shape", "size", "ndim", "dim", "numel", "dtype", "device"}
_SOURCES = {"torch", "F", "nn", "math", "np", "einops", "functional", "linalg"}
_WORDS = [{"mean", "sum", "max", "min", "prod"}, {"inf", "-inf"}, {"mean", "sum", "none"}]

Change = tuple[float, str, ast.expr]
"""The cost of a slip, its sentence, and the expression that would stand there without it."""


class Place(NamedTuple):
    """Where an expression stands: its parent, and the names known there; which are numbers, lists, or used `once`."""

    node: ast.expr
    parent: ast.AST
    field: str
    names: list[str]
    numbers: set[str]
    lists: set[str]
    attributes: list[str]
    once: frozenset[str] = frozenset()


class Rule(NamedTuple):
    """A line of the tables above."""

    pattern: ast.expr
    replacement: ast.expr
    cost: float
    sentence: str


def _rules(table: str) -> list[Rule]:
    rules = []
    for line in table.strip().splitlines():
        left, cost, sentence = re.split(r"  +", line)
        forms = [ast.parse(form, mode="eval").body for form in re.split(" → | ↔ ", left)]
        either = [(forms[1], forms[0])] if "↔" in left else []
        rules += [Rule(a, b, float(cost), sentence) for a, b in [*((forms[0], b) for b in forms[1:]), *either]]
    return rules


_OF_KIND: dict[type, list[Rule]] = {}
for _rule in _rules(RULES):
    _OF_KIND.setdefault(type(_rule.pattern), []).append(_rule)
_MISSING, _MISSING_AT_TENSORS, _FACTORS = _OF_KIND.pop(ast.Name), _rules(TENSOR_RULES), _rules(FACTOR_RULES)


def matches(pattern: ast.AST, node: ast.AST, held: dict[str, ast.expr]) -> bool:
    """Whether a node has the form of a pattern; what its names stand for is noted in `held`."""
    if isinstance(pattern, ast.Name) and pattern.id not in ("range", "min", "max", "torch", "math"):
        return isinstance(node, ast.expr) and held.setdefault(pattern.id, node) is node
    if type(pattern) is not type(node):
        return False
    for field in pattern._fields:
        mine, theirs = getattr(pattern, field, None), getattr(node, field, None)
        if isinstance(mine, list):
            if len(mine) != len(theirs) or not all(map(matches, mine, theirs, itertools.repeat(held))):  # type: ignore[arg-type]
                return False
        elif isinstance(mine, ast.AST):
            if not isinstance(mine, ast.expr_context) and not matches(mine, theirs, held):  # type: ignore[arg-type]
                return False
        elif mine != theirs:
            return False
    return True


def filled(form: Any, held: dict[str, ast.expr]) -> Any:
    """A form with what its names stand for; nothing is copied that need not be."""
    if isinstance(form, ast.Name):
        return held.get(form.id, form)
    parts = {
        field: [filled(p, held) if isinstance(p, ast.AST) else p for p in part]
        if isinstance(part, list) else filled(part, held) if isinstance(part, ast.AST) else part
        for field, part in ast.iter_fields(form)
    }  # fmt: skip
    return type(form)(**parts)


def show(node: ast.AST, longest: int = 60) -> str:
    """A piece of code in one line."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= longest else text[: longest - 2].rstrip() + " …"


def changes(place: Place) -> Iterator[Change]:
    """Every expression that may belong in a place."""
    node = place.node
    if isinstance(node, ast.Subscript):
        yield from _subscripts(node)
    called = isinstance(place.parent, ast.Call) and place.field == "func"
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load) or called and not isinstance(node, ast.Attribute):
        return
    yield from _by_rule(_OF_KIND.get(type(node), []), node)
    match node:
        case ast.BinOp():
            yield from _operations(node)
        case ast.BoolOp():
            other = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
            yield 1, f"“and” and “or” are mixed up in `{show(node)}`", ast.BoolOp(other, node.values)
            for part in node.values if len(node.values) == 2 else ():
                yield 1.5, f"the condition `{show(part)}` is too much", next(v for v in node.values if v is not part)
        case ast.Constant():
            yield from _constants(node, place)
        case ast.Call():
            yield from _calls(node)
        case ast.Attribute() if isinstance(node.value, ast.Name) and node.value.id == "self":
            for name in place.attributes:
                yield 1.5, f"`self.{node.attr}` is the wrong one here", ast.Attribute(node.value, name, ast.Load())
        case ast.Name() if node.id in place.names:
            for name in place.names:
                if name in place.lists and not isinstance(place.parent, ast.Return):
                    continue  # a list that holds itself would be the end of the process
                cost = 2.5 if node.id in place.once else 1.5  # what is used here alone was made for it
                yield cost, f"`{node.id}` is the wrong name{_around(place)}", ast.Name(name, ast.Load())
                if place.field == "slice" and node.id in place.numbers and name not in place.numbers:
                    entry = ast.Subscript(ast.Name(name, ast.Load()), node, ast.Load())
                    yield 1.6, f"`{node.id}` is a place; what stands there in another table is wanted", entry
        case ast.GeneratorExp() | ast.ListComp():
            yield from _comprehensions(node)
    if not called and place.field not in ("slice", "defaults", "keywords", "op"):
        yield from _missing(node, place)


def _by_rule(rules: list[Rule], node: ast.expr) -> Iterator[Change]:
    shown = show(node)
    for rule in rules:
        held: dict[str, ast.expr] = {}
        if matches(rule.pattern, node, held):
            yield rule.cost, rule.sentence.format(shown), filled(rule.replacement, held)


def _missing(node: ast.expr, place: Place) -> Iterator[Change]:
    """What may be missing around an expression: a sign, a root, a new axis, a cut, a factor, a term."""
    fits = isinstance(
        node, ast.BinOp | ast.UnaryOp | ast.Call | ast.Attribute | ast.Subscript | ast.Compare | ast.BoolOp
    )
    if not fits and not (isinstance(node, ast.Name) and node.id in place.names):
        return
    if isinstance(place.parent, ast.Attribute) and place.parent.attr in _ASKED:
        return  # whatever is done to it, what it is asked for stays, or gets odd
    truth = isinstance(node, ast.Compare | ast.BoolOp)
    if place.field == "test" or isinstance(place.parent, ast.BoolOp | ast.comprehension) and truth:
        yield 1, f"the condition `{show(node)}` is the wrong way round", ast.UnaryOp(ast.Not(), node)
        return
    if isinstance(node, ast.Call) and name_of(node.func) in ("range", "enumerate", "zip", "len"):
        return
    number = is_number(node, place.numbers)
    if truth:
        yield 1.6, f"`{show(node)}` says True where False belongs, and the reverse", ast.UnaryOp(ast.Invert(), node)
        return
    yield from _by_rule(_MISSING, node)
    if not number:
        yield from _by_rule(_MISSING_AT_TENSORS, node)
    for name in place.names if isinstance(node, ast.Name | ast.Call | ast.BinOp) else ():
        plain = name in place.numbers
        if name not in place.lists and (plain or not number) and ast.unparse(node) != name:
            for rule in _FACTORS[:4] if plain else _FACTORS:
                last = isinstance(place.parent, ast.Return)  # one step short
                cost = rule.cost - (1.2 if last else 1.4 if plain and number else 0.6 if plain else 0)
                held: dict[str, ast.expr] = {"it": node, "other": ast.Name(name, ast.Load())}
                yield cost, rule.sentence.format(show(node)), filled(rule.replacement, held)


def _operations(node: ast.BinOp) -> Iterator[Change]:
    left, right = node.left, node.right
    sign = ast.unparse(ast.BinOp(ast.Name("l"), node.op, ast.Name("r")))[1:-1].strip()
    if isinstance(node.op, ast.Sub | ast.Div | ast.FloorDiv | ast.Mod | ast.MatMult | ast.Pow):
        yield 1, f"the two sides of `{show(node)}` are the wrong way round", ast.BinOp(right, node.op, left)
    yield 1.5, f"`{sign} {show(right)}` is too much", left
    yield 2, f"`{show(left)} {sign}` is too much", right
    if isinstance(node.op, ast.Div) and not any(map(_is_broken, (left, right))):
        yield 1, f"the quotient `{show(node)}` should be a whole number", ast.BinOp(left, ast.FloorDiv(), right)
    says = f"the brackets are not where they belong in `{show(node)}`"
    if isinstance(left, ast.BinOp):
        yield 1.2, says, ast.BinOp(left.left, left.op, ast.BinOp(left.right, node.op, right))
    if isinstance(right, ast.BinOp):
        yield 1.2, says, ast.BinOp(ast.BinOp(left, node.op, right.left), right.op, right.right)


def _is_broken(node: ast.expr) -> bool:
    """Whether it is a number written out that is no whole one, or π."""
    return name_of(node) == "pi" or isinstance(node, ast.Constant) and isinstance(node.value, float)


def number_node(value: float) -> ast.expr:
    """A number as code."""
    return ast.UnaryOp(ast.USub(), ast.Constant(-value)) if value < 0 else ast.Constant(value)


def _constants(node: ast.Constant, place: Place) -> Iterator[Change]:
    value, around = node.value, _around(place)
    if isinstance(value, bool):
        if not isinstance(place.parent, ast.keyword):
            yield 1, f"`{value}` is the wrong choice{around}", ast.Constant(not value)
    elif isinstance(value, int | float):
        says = f"`{show(node)}` is not the right number{around}"
        if isinstance(value, int):
            yield from ((1, f"`{value}` is off by one{around}", number_node(value + by)) for by in (1, -1))
        yield from ((1.5, says, number_node(v)) for v in (0, 1, 2, -1, 0.5, -2))
        yield from ((2.5, says, ast.Constant(v)) for v in (value * 10, value / 10, value * 2, value / 2) if v)
        if place.field != "slice":
            says = f"`{show(node)}` is written out where a name of yours belongs{around}"
            yield from ((1.5, says, ast.Name(name, ast.Load())) for name in place.names if name not in place.lists)
    elif isinstance(value, str) and "->" in value:
        yield from _patterns(value)
    elif isinstance(value, str):
        for other in sorted({other for words in _WORDS if value in words for other in words}):
            yield 1, f"“{value}” is the wrong choice", ast.Constant(other)


def _patterns(text: str) -> Iterator[Change]:
    """An einops or einsum pattern with two axes swapped on one side, or an axis too many or few behind the arrow."""
    spaced = " " in text.strip()
    word = r"\.\.\.|[(),]|" + (r"\w+" if spaced else r"\w")
    left, right = (re.findall(word, side) for side in text.split("->", 1))

    def joined(*sides: list[str]) -> ast.Constant:
        glue = " " if spaced else ""
        text = f"{glue}->{glue}".join(glue.join(side) for side in sides)
        return ast.Constant(text.replace("( ", "(").replace(" )", ")"))

    for side in (left, right):
        for a, b in itertools.combinations([i for i, word in enumerate(side) if word.isalnum() or "_" in word], 2):
            turned = list(side)
            turned[a], turned[b] = turned[b], turned[a]
            both = (turned, right) if side is left else (left, turned)
            yield 1 if b - a < 4 else 1.5, f"`{side[a]}` and `{side[b]}` are swapped in “{text.strip()}”", joined(*both)
    if not spaced:
        for axis in right:
            yield (
                1.2,
                f"`{axis}` is kept in “{text}” and should be summed over",
                joined(left, [r for r in right if r != axis]),
            )
        for axis in sorted(set(left) - set(right) - {",", "..."}):
            yield 1.2, f"`{axis}` is summed over in “{text}” and should be kept", joined(left, [*right, axis])


def _calls(node: ast.Call) -> Iterator[Change]:
    func, name, args = node.func, name_of(node.func), node.args
    method = isinstance(func, ast.Attribute) and not (isinstance(func.value, ast.Name) and func.value.id in _SOURCES)
    shown, have = show(node), {keyword.arg for keyword in node.keywords}

    def call(args: list[ast.expr] = args, keywords: list[ast.keyword] = node.keywords) -> ast.Call:
        return ast.Call(func, args, keywords)

    def said(*more: tuple[str, ast.expr]) -> ast.Call:
        """The call with these keywords."""
        kept = [keyword for keyword in node.keywords if keyword.arg not in dict(more)]
        return call(keywords=[*kept, *(ast.keyword(arg, value) for arg, value in more)])

    wrong_axis = f"`{shown}` runs along the wrong axis"
    for keyword in node.keywords:
        yield (
            1.3,
            f"`{show(keyword)}` is too much in `{shown}`",
            call(keywords=[k for k in node.keywords if k is not keyword]),
        )
        if isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, bool) and keyword.arg:
            changed = said((keyword.arg, ast.Constant(not keyword.value.value)))
            yield 1, f"`{show(keyword)}` is the wrong choice in `{shown}`", changed
        if keyword.arg in ("min", "max"):
            other_end = {"min": "max", "max": "min"}
            bounds = [ast.keyword(other_end.get(k.arg or "", k.arg), k.value) for k in node.keywords]
            yield 0.9, f"`{show(keyword)}` bounds the wrong end in `{shown}`", call(keywords=bounds)
        if keyword.arg in ("dim", "axis", "start_dim"):
            yield from ((1, wrong_axis, said((keyword.arg, axis))) for axis in _axes(keyword.value))
    if name in _ALONG:
        for i, argument in enumerate(args if name not in ("roll", "topk", "split", "chunk") else ()):
            if isinstance(argument, ast.Tuple) and argument.elts or int_of(argument) is not None:
                yield from ((1, wrong_axis, call([*args[:i], axis, *args[i + 1 :]])) for axis in _axes(argument))
        if not have & {"dim", "axis"} and (len(args) <= (0 if method else 1) or name in ("topk", "cosine_similarity")):
            says, keep = f"`{shown}` does not say along which axis", ast.Constant(True)
            yield from ((1.1, says, said(("dim", axis))) for axis in _axes(ast.Constant(9)))
            for axis in _axes(ast.Constant(9))[:4] if name in _KEEPING else ():
                yield 1.4, says, said(("dim", axis), ("keepdim", keep))
    if name in _KEEPING and "keepdim" not in have:
        yield (
            1,
            f"`{shown}` drops the axis that it runs along, and what follows needs it",
            said(("keepdim", ast.Constant(True))),
        )
    if name in ("std", "var"):
        for value in (0, 1):
            yield 1.2, f"`{shown}` divides by another count than it should", said(("correction", ast.Constant(value)))
    if name in ("topk", "sort", "argsort"):
        end = {"topk": ("largest", False)}.get(name, ("descending", True))
        yield 1, f"`{shown}` begins at the wrong end", said((end[0], ast.Constant(end[1])))
    for other in sorted({word for words in _RELATIVES if name in words for word in words} - {name}):
        new = (
            ast.Attribute(func.value, other, ast.Load())
            if isinstance(func, ast.Attribute)
            else ast.Name(other, ast.Load())
        )
        yield 1.2, f"`{name}` is not the function that belongs there, in `{shown}`", ast.Call(new, args, node.keywords)
    if method and isinstance(func, ast.Attribute):
        yield 1.5, f"`.{name}(…)` is too much after `{show(func.value)}`", func.value
    if args:
        yield 1.8, f"`{name}(…)` is too much around `{show(args[0])}`", args[0]
    if len(args) > 1:
        yield 1.5, f"`{show(args[-1])}` is too much in `{shown}`", call(args[:-1])
    for a, b in itertools.combinations(range(len(args)), 2):
        turned = list(args)
        turned[a], turned[b] = turned[b], turned[a]
        yield 1.2, f"`{show(args[a])}` and `{show(args[b])}` are swapped in `{shown}`", call(turned)


def name_of(func: ast.expr) -> str:
    """The last part of a function's name."""
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def int_of(node: ast.AST) -> int | None:
    """The whole number that a node writes out, if it does."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _axes(node: ast.AST) -> list[ast.expr]:
    """Other axes than these."""
    texts = (
        ("(-2, -1)", "(2, 3)", "(1, 2)", "-1", "1", "0")
        if isinstance(node, ast.Tuple)
        else ("-1", "0", "1", "-2", "2", "3")
    )
    return [ast.parse(text, mode="eval").body for text in texts if text != ast.unparse(node)]


def _around(place: Place) -> str:
    """The next larger expression, for what may stand in a line more than once."""
    return f" in `{show(place.parent)}`" if isinstance(place.parent, ast.expr) else ""


def _comprehensions(node: ast.GeneratorExp | ast.ListComp) -> Iterator[Change]:
    loops = node.generators
    for loop in loops:
        for test in loop.ifs:
            rest = ast.comprehension(loop.target, loop.iter, [t for t in loop.ifs if t is not test], loop.is_async)
            changed = type(node)(node.elt, [rest if each is loop else each for each in loops])
            yield 1.5, f"the condition `{show(test)}` is too much", changed
    if len(loops) == 2:
        yield 1.5, f"the loops of `{show(node)}` stand in the wrong order", type(node)(node.elt, loops[::-1])


def _subscripts(node: ast.Subscript) -> Iterator[Change]:
    parts, shown = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice], f"`{show(node)}`"
    if isinstance(node.ctx, ast.Load):
        yield 1.5, f"{shown} is cut and should stand whole", node.value

    def index(*new: ast.expr) -> ast.Subscript:
        return ast.Subscript(node.value, ast.Tuple(list(new), ast.Load()) if len(new) > 1 else new[0], node.ctx)

    for i, part in enumerate(parts):
        number = int_of(part)
        if isinstance(part, ast.Slice):
            yield from (
                (1, f"{shown} is cut at the wrong place", index(*parts[:i], s, *parts[i + 1 :])) for s in _slices(part)
            )
        elif number is not None:
            others = [n for n in (0, 1, -1, -2, number + 1, number - 1) if n != number]
            yield from (
                (1, f"{shown} takes the wrong place", index(*parts[:i], number_node(n), *parts[i + 1 :]))
                for n in others
            )
        elif isinstance(part, ast.Constant) and part.value is None and len(parts) > 1:
            yield 1.2, f"{shown} puts in an axis that should not be there", index(*parts[:i], *parts[i + 1 :])
    if 1 < len(parts) < 5:
        for order in list(itertools.permutations(parts))[1:]:
            yield 1.1, f"in {shown} the axes stand in the wrong order", index(*order)
        yield 1.3, f"{shown} cuts more axes than it should", index(parts[0])


def _slices(part: ast.Slice) -> list[ast.Slice]:
    lower, upper, step, one = part.lower, part.upper, part.step, ast.Constant(1)

    def moved(end: ast.expr | None, absent: ast.expr) -> list[ast.expr | None]:
        if end is None:
            return [absent]
        return [None, ast.BinOp(end, ast.Add(), one), ast.BinOp(end, ast.Sub(), one)]

    found = [ast.Slice(new, upper, step) for new in moved(lower, one)]
    found += [ast.Slice(lower, new, step) for new in moved(upper, ast.UnaryOp(ast.USub(), one))]
    if step is not None:
        found.append(ast.Slice(lower, upper, None))
    elif lower is not None and upper is None:
        found += [ast.Slice(None, lower, None), ast.Slice(None, ast.UnaryOp(ast.USub(), lower), None)]
    elif upper is not None and lower is None:
        found += [ast.Slice(upper, None, None), ast.Slice(ast.UnaryOp(ast.USub(), upper), None, None)]
    return found


def is_number(node: ast.AST, numbers: set[str]) -> bool:
    """Whether a plain number stands there, as far as the code shows; `numbers` are the names that hold one."""
    match node:
        case ast.Name(id=name):
            return name in numbers
        case ast.Constant(value=value):
            return isinstance(value, int | float)
        case ast.BinOp(left=left, right=right):
            return is_number(left, numbers) and is_number(right, numbers)
        case ast.UnaryOp(operand=operand):
            return is_number(operand, numbers)
        case ast.Subscript(value=ast.Attribute(attr="shape"), slice=index):
            return not isinstance(index, ast.Slice)
        case ast.Call(func=func, args=args):
            sizes = name_of(func) in ("len", "size", "dim", "int", "numel", "item")
            return sizes or name_of(func) == "sqrt" and len(args) == 1 and is_number(args[0], numbers)
    return False
