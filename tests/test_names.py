"""What a cell defines, changes and uses, read from its text."""

import pytest

from squint.names import changes, defines, steps, uses


@pytest.mark.parametrize(
    ("code", "defined", "changed", "used"),
    [
        ("@cache\ndef f(x):\n    y = x + z\n    return [q for q in y]", "f", "f", "cache z"),
        ("class A(B):\n    c = d\n    def e(self): return g", "A", "A", "B d g"),
        ("from a import b as c, d\nimport x.y", "c d x", "c d x", ""),
        ("from a import *", "*", "*", ""),
        ("a, (b, *c) = 1, 2", "a b c", "a b c", ""),
        ("a: int = 3\nb: int", "a", "a b", "int"),
        ("(a := lambda b: b + c)", "a", "a", "c"),
        ("for a in b:\n    c = a", "c", "a c", "a b"),
        ("if a:\n    def b(): ...\nelse:\n    with c as d:\n        e = 1", "b e", "b d e", "a c"),
        ("a[0] = 1\nb.c = 2\nd += 1", "", "a b d", "a b"),
        ("a.append(1)\nb.zero_()\nc.mean()", "", "a b", "a b c"),
        ("a == 3\n[b for b in c]", "", "", "a c"),
        ("def a(x):\n    return x *", "a", "a", "def a x return"),
        ("a\0", "", "", "a"),
    ],
)
def test_names_are_read_from_the_text(code, defined, changed, used):
    assert defines(code) == set(defined.split())
    assert changes(code) == set(changed.split())
    assert uses(code) == set(used.split())


def test_a_cell_is_cut_into_its_outermost_statements():
    assert steps("a = 1; b = 2\nif a:\n    c = 3") == ("a = 1", "b = 2", "if a:\n    c = 3")
    assert steps("a = (") == ("a = (",)
