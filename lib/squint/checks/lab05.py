"""Lab 05, few-shot learners: a Llama's parts, its weights put back in order, prompts, likelihood, calibration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, tensor
from torch.utils._python_dispatch import TorchDispatchMode

from squint.checks.engine import Case, Check, Draw, drawn, edits, exercises
from squint.checks.laws import same_gradient

# Rotary positions


def keeps_lengths(function: Callable, case: Case) -> str | None:
    """turning keeps the length of every vector"""
    x, angle = case.args
    turned = torch.as_tensor(function(x, angle))
    if turned.shape == x.shape and torch.allclose(turned.norm(dim=-1), x.norm(dim=-1), rtol=1e-3, atol=1e-4):
        return None
    return "It does not keep the vectors' lengths, as turning does."


def only_distance_counts(function: Callable, case: Case) -> str | None:
    """the product of a turned query and a turned key depends on their distance alone"""
    x, angle = case.args
    query, key = x[..., :1, :], x[..., -1:, :]
    step = angle[..., -1:, :]
    near = (function(query, 3 * step) * function(key, step)).sum(dim=-1)
    far = (function(query, 9 * step) * function(key, 7 * step)).sum(dim=-1)
    if torch.allclose(near, far, rtol=1e-3, atol=1e-3):
        return None
    return "A query two places behind a key should find it alike wherever both stand, and here it does not."


def neighbours(x: Tensor, angle: Tensor) -> Tensor:
    """A mistake: numbers 0 and 1, 2 and 3 … are taken for the pairs."""
    first, second = x[..., 0::2], x[..., 1::2]
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(-2)


def neighbours_apart(x: Tensor, angle: Tensor) -> Tensor:
    """A mistake: pairs of neighbours go in, halves come out."""
    first, second = x[..., 0::2], x[..., 1::2]
    cos, sin = angle.cos(), angle.sin()
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


def halves_interleaved(x: Tensor, angle: Tensor) -> Tensor:
    """A mistake: halves go in, pairs of neighbours come out."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(-2)


def angles_interleaved(x: Tensor, angle: Tensor) -> Tensor:
    """A mistake: the halves are pairs, but each angle is written down twice side by side, as for neighbours."""
    first, second = x.chunk(2, dim=-1)
    angle = angle.repeat_interleave(2, dim=-1)
    return x * angle.cos() + torch.cat([-second, first], dim=-1) * angle.sin()


TURNED = "first * cos - second * sin"
OTHER = "first * sin + second * cos"
TOGETHER = "torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)"
rotate = Check(
    cases=drawn(
        lambda draw: Case("one pair, turned by a right angle", tensor([[1.0, 0.5]]), tensor([[torch.pi / 2]])),
        lambda draw: Case("two pairs, one of them turned", tensor([[1.0, 2.0, 3.0, 4.0]]), tensor([[0.0, 1.0]])),
        lambda draw: Case("three tokens of six numbers", draw(3, 6), draw(3, 3)),
        lambda draw: Case("two texts of two heads", draw(2, 2, 5, 8), draw(5, 4)),
        lambda draw: Case("places of their own for each text", draw(2, 3, 4, 8), draw(2, 1, 4, 4)),
        lambda draw: Case("not turned at all", draw(2, 6), torch.zeros(2, 3))),
    laws=[keeps_lengths, only_distance_counts],
    gradients=True,
    hints=(
        "Which two numbers are pair i? One of the first half and one of the second. The two formulas give the new "
        "first and the new second half.",
        "first, second = x.chunk(2, dim=-1). The new halves are first · cos − second · sin and first · sin + second · "
        "cos; torch.cat along the last axis."),
    misconceptions=edits({
        "first, second = x": {
            "second, first = x": "First and second are swapped: chunk gives the first half first."},
        TURNED: {
            "first * cos + second * sin": "The first half has a plus where a minus belongs: first · cos − second · "
            "sin.",
            "second * sin - first * cos": "The first half has the wrong sign: first · cos − second · sin.",
            "first * sin - second * cos": "Sine and cosine are swapped in the first half.",
            "second * cos - first * sin": "First and second are swapped in the first half: first · cos − second · "
            "sin."},
        OTHER: {
            "second * cos - first * sin": "The second half has a minus where a plus belongs: first · sin + second · "
            "cos.",
            "second * cos + second * sin": "The second half needs the first one, too: first · sin + second · cos.",
            "(first * cos - second * sin) * sin + second * cos": "The second half was made from the *new* first half. "
            "Keep the old one until both are made.",
            "first * cos + second * sin": "Sine and cosine are swapped in the second half."},
        TOGETHER: {
            "torch.cat([first * cos + second * sin, second * cos - first * sin], dim=-1)": "You turned the other way "
            "round. Here the angle counts from the first number of a pair towards the second.",
            "torch.cat([first * sin + second * cos, first * cos - second * sin], dim=-1)": "The halves came back in "
            "the wrong order: first the new first half.",
            "torch.cat([first * cos, second * cos], dim=-1)": "The two of a pair must mix: each new number is made of "
            "both.",
            "x + torch.cat([angle.cos(), angle.sin()], dim=-1)": "That adds something for each place. Nothing is "
            "added: each pair is turned."},
        "angle.cos(), angle.sin()": {
            "angle.sin(), angle.cos()": "Sine and cosine are swapped."},
    }, versions={
        "You turned neighbours, 0 with 1, 2 with 3. Here number i of the first half goes with number i of the second: "
        "chunk(2, dim=-1).": neighbours,
        "You took neighbours for pairs, and laid them apart in the end. Pairs are number i of the first half and "
        "number i of the second, going in and coming out.": neighbours_apart,
        "The pairs came out as neighbours. Put the new first half and the new second half behind each other: "
        "torch.cat.": halves_interleaved,
        "The angles lie as for neighbours, each twice side by side; the pairs here are halves, so both halves take "
        "all angles in their order.": angles_interleaved,
    }))  # fmt: skip

# Norm and network


SQUARE = "x.square().mean(dim=-1, keepdim=True)"
NORMED = "x * (square + epsilon).rsqrt() * gain"
CENTRED = "(x - x.mean(dim=-1, keepdim=True)) * (square + epsilon).rsqrt() * gain"
rms_norm = Check(
    cases=drawn(
        lambda draw: Case("the vector 3, 4", tensor([[3.0, 4.0]]), tensor([1.0, 1.0]), 1e-5),
        lambda draw: Case("a mean far from zero", draw(2, 5) + 3, torch.ones(5), 1e-5),
        lambda draw: Case("a gain", draw(2, 3, 6), draw(6), 1e-5),
        lambda draw: Case("vectors that are nearly zero", 1e-3 * draw(3, 4), draw(4), 1e-5),
        lambda draw: Case("a large epsilon", draw(3, 4), draw(4), 0.5),
        lambda draw: Case("a vector of zeros", torch.zeros(1, 4), torch.ones(4), 1e-5),
        lambda draw: Case("as many vectors as numbers", draw(4, 4), draw(4), 1e-5)),
    gradients=True,
    hints=(
        "Square, mean over the last axis, plus ε, root: divide by that. Then the gain.",
        "square = x.square().mean(dim=-1, keepdim=True); x / torch.sqrt(square + epsilon) * gain."),
    misconceptions=edits({
        SQUARE: {
            "x.square().sum(dim=-1, keepdim=True)": "That is the sum of squares. RMS is the root of their *mean*.",
            "x.mean(dim=-1, keepdim=True).square()": "You squared the mean. Take the mean of the squares.",
            "x.var(dim=-1, keepdim=True)": "That is the variance, which takes the mean away. RMSNorm does not.",
            "x.var(dim=-1, keepdim=True, unbiased=False)": "That is a variance: the mean is taken away. RMSNorm takes "
            "nothing away.",
            "x.square().mean(dim=0, keepdim=True)": "The mean ran over the first axis. Each vector has its own: "
            "dim=-1.",
            "x.square().mean()": "One mean for all vectors. Each has its own: dim=-1, keepdim=True.",
            "x.abs().mean(dim=-1, keepdim=True).square()": "That is the mean of absolute values. Square first."},
        NORMED: {
            "x * square.rsqrt() * gain": "ε is missing: a vector of zeros would be divided by zero.",
            "x / (square.sqrt() + epsilon) * gain": "ε stands outside of the root. It is added to the mean square, "
            "inside.",
            "x / (square + epsilon) * gain": "The root is missing: divide by the root of the mean square.",
            "x * (square + epsilon).sqrt() * gain": "You multiplied by the root. Divide by it.",
            "x * (square + epsilon).rsqrt()": "The gain is missing: multiply by it.",
            "x * (square + epsilon).rsqrt() + gain": "The gain is multiplied, not added.",
            "x * (square + epsilon**2).rsqrt() * gain": "ε is added as it is, not squared.",
            "x * (square + epsilon).rsqrt() * (1 + gain)": "The gain is taken as it is, without 1 +.",
            CENTRED: "You took the mean away from x. RMSNorm takes nothing away."},
        f"{SQUARE}\n    return {NORMED}": {
            f"x.var(dim=-1, keepdim=True, unbiased=False)\n    return {CENTRED}": "That is layer norm: the mean was "
            "taken away first. RMSNorm takes nothing away."},
    }))  # fmt: skip

GATED = "(F.silu(x @ gate.T) * (x @ widen.T)) @ narrow.T"
swiglu = Check(
    cases=drawn(
        lambda draw: Case("one vector of one number", tensor([[2.0]]), tensor([[1.0], [-1.0]]), tensor([[0.5], [3.0]]),
                          tensor([[1.0, 1.0]])),
        lambda draw: Case("a vector of three numbers", draw(1, 3), draw(5, 3), draw(5, 3), draw(3, 5)),
        lambda draw: Case("two texts of four tokens", draw(2, 4, 6), draw(9, 6), draw(9, 6), draw(6, 9)),
        lambda draw: Case("as wide inside as outside", draw(3, 4), draw(4, 4), draw(4, 4), draw(4, 4))),
    gradients=True,
    hints=(
        "Two copies, both as wide as the hidden layer. One of them is the gate, and goes through F.silu.",
        "F.silu(x @ gate.T) times x @ widen.T, entry by entry; and that product @ narrow.T."),
    misconceptions=edits({
        "F.silu(x @ gate.T)": {
            "(x @ gate.T)": "SiLU is missing: F.silu of the gate's copy.",
            "(F.silu(x) @ gate.T)": "x itself went through SiLU. It is the gate's copy, x @ gate.T, that does.",
            "torch.sigmoid(x @ gate.T)": "That is a sigmoid. SiLU is z · sigmoid(z): F.silu.",
            "F.relu(x @ gate.T)": "That is ReLU. SwiGLU gates by F.silu.",
            "F.gelu(x @ gate.T)": "That is GELU. SwiGLU gates by F.silu."},
        " * (x @ widen.T)": {
            "": "The second copy is missing: x @ widen.T."},
        "return ": {
            "return x + ": "The residual is added outside: hand back the network's output alone."},
        GATED: {
            "((x @ gate.T) * F.silu(x @ widen.T)) @ narrow.T": "SiLU is on the wrong copy: the gate goes through it.",
            "((x @ gate.T) * torch.sigmoid(x @ widen.T)) @ narrow.T": "That is a sigmoid, and on the wrong copy. The "
            "gate goes through F.silu.",
            "F.silu((x @ gate.T) * (x @ widen.T)) @ narrow.T": "SiLU came after the product. Only the gate's copy "
            "goes through it.",
            "(F.silu(x @ gate) * (x @ widen)) @ narrow": "The matrices lie as [out, in], so x @ weight.T."},
    }))  # fmt: skip

# Grouped queries


def causal(batch: int, new: int, old: int) -> Tensor:
    """The causal mask of new tokens behind old ones."""
    return torch.ones(batch, new, old + new, dtype=torch.bool).tril(old)


def heads(label: str, draw: Draw, batch: int, heads: int, shared: int, new: int, old: int, part: int = 4) -> Case:
    """New queries, and keys and values of fewer heads."""
    query, key, value = draw(batch, heads, new, part), *(draw(batch, shared, old + new, part) for _ in range(2))
    return Case(label, query, key, value, causal(batch, new, old))


def own_masks(draw: Draw) -> Case:
    """Two texts of which each may see other keys."""
    mask = tensor([[[1, 0, 1, 0], [1, 1, 0, 1]], [[0, 1, 0, 0], [1, 1, 1, 0]]]).bool()
    return Case("each text has its own mask", draw(2, 4, 2, 3), draw(2, 2, 4, 3), draw(2, 2, 4, 3), mask)


KEYS, VALUES = "key.repeat_interleave(copies, dim=1)", "value.repeat_interleave(copies, dim=1)"
BY_SHARED = "{0}[:, [head // {0}.shape[1] for head in range(query.shape[1])]]"
ORDER = "were repeated as A B C A B C. Neighbouring heads of queries share: A A A B B B, repeat_interleave."
grouped_attention = Check(
    cases=drawn(
        lambda draw: heads("two heads that share one, two tokens", draw, 1, 2, 1, 2, 0),
        lambda draw: heads("four heads on two", draw, 1, 4, 2, 3, 0),
        lambda draw: heads("nine heads on three, old tokens before", draw, 2, 9, 3, 2, 3),
        lambda draw: heads("as many as there are", draw, 2, 3, 3, 4, 0, 6),
        own_masks,
        lambda draw: heads("one new token", draw, 2, 6, 2, 1, 4)),
    gradients=True,
    hints=(
        "How many heads of queries share one of keys? Write each key's head down so many times in a row; then it is "
        "lab 02's attention.",
        "key.repeat_interleave(copies, dim=1), and the same for value. Scores: query @ key.mT over the root of part; "
        "mask[:, None] for all heads, −∞ where it is False; softmax over the keys; times the values."),
    misconceptions=edits({
        f"{KEYS}\n    value = {VALUES}": {
            "key.repeat(1, copies, 1, 1)\n    value = value.repeat(1, copies, 1, 1)": "The heads of keys and values "
            f"{ORDER}",
            BY_SHARED.format("key") + "\n    value = " + BY_SHARED.format("value"): "A head's number was divided by "
            "how many heads are shared. Divide it by how many share one."},
        KEYS: {
            "key.repeat(1, copies, 1, 1)": f"The keys' heads {ORDER}",
            "key[:, :1].expand(-1, query.shape[1], -1, -1)": "All queries look at the first head of keys. Each group "
            "has its own.",
            "key.flip(1).repeat_interleave(copies, dim=1)": "The groups look at the keys' heads in reverse.",
            "key.mean(dim=1, keepdim=True)": "The heads of keys were averaged. Each group looks at its own."},
        VALUES: {
            "value.repeat(1, copies, 1, 1)": f"The values' heads {ORDER}",
            "value[:, :1].expand(-1, query.shape[1], -1, -1)": "All queries take the first head's values. Each group "
            "has its own."},
        " / math.sqrt(query.shape[-1])": {
            "": "The scale is missing: divide by the root of query.shape[-1].",
            " / query.shape[-1]": "Divide by the *root* of query.shape[-1].",
            " / 8": "The scale is 8 for heads of 64 alone: divide by the root of query.shape[-1].",
            " / math.sqrt(query.shape[-1] * query.shape[1])": "The scale is the root of *one* head's width.",
            " / math.sqrt(query.shape[1])": "You divided by the root of the number of heads. It is that of the width "
            "of one, query.shape[-1]."},
        "scores.masked_fill(~mask[:, None], -torch.inf)": {
            "scores": "The mask is not used.",
            "scores.masked_fill(mask[:, None], -torch.inf)": "The mask is inverted: True means that a key may be seen.",
            "scores.masked_fill(~mask[:, None], 0)": "What may not be seen got the score 0, which is not nothing: "
            "fill in −∞.",
            "scores.masked_fill(~mask[None], -torch.inf)": "The mask needs an axis for the heads, behind that of "
            "the texts: mask[:, None]."},
        "scores.masked_fill(~mask[:, None], -torch.inf).softmax(dim=-1)": {
            "scores.softmax(dim=-1) * mask[:, None]": "The mask came after the softmax, so the weights that are left "
            "do not sum to 1. Fill in −∞ before it."},
        "softmax(dim=-1)": {
            "softmax(dim=-2)": "The softmax ran over the queries. Each spreads its attention over the keys: dim=-1.",
            "softmax(dim=1)": "The softmax ran over the heads. Over the keys: dim=-1."},
        "weights @ value": {
            "(weights @ value).transpose(1, 2).flatten(2)": "The heads were merged. Here they stay apart: [batch, "
            "heads, new, part]."},
    }))  # fmt: skip

# Pouring

PUT_BACK = 'rearrange(weight, "(head pair two) dim -> (head two pair) dim", head=heads, two=2)'


def numbered(heads: int, pairs: int, dim: int) -> Tensor:
    """A matrix whose entries tell their row and column."""
    return torch.arange(heads * pairs * 2)[:, None] + torch.arange(dim) / 100


unpermute = Check(
    cases=lambda seed: [
        Case("one head of six rows", numbered(1, 3, 2), 1), Case("two heads of four rows", numbered(2, 2, 3), 2),
        Case("three heads of eight rows", numbered(3, 4, 5), 3), Case("heads of two rows", numbered(4, 1, 2), 4),
        Case("a head of sixteen rows, as many columns", numbered(1, 8, 16), 1)],
    hints=(
        "In the file, a head's rows are a0 b0 a1 b1 …: first which pair, then which of the two. Afterwards: first "
        "which of the two, then which pair.",
        "\"(head pair two) dim -> (head two pair) dim\", with head=heads and two=2."),
    misconceptions=edits({
        PUT_BACK: {
            'rearrange(weight, "(head two pair) dim -> (head pair two) dim", head=heads, two=2)': "That is the way "
            "*into* the file: halves became neighbours. Here neighbours become halves.",
            'rearrange(weight, "(head pair two) dim -> (two head pair) dim", head=heads, two=2)': "All heads' first "
            "halves came first. Each head stays together, with its own halves: (head two pair).",
            'rearrange(weight, "(pair two head) dim -> (head two pair) dim", head=heads, two=2)': "The heads' rows "
            "were taken as lying between each other. Each head's rows lie together: (head pair two).",
            'rearrange(weight, "(head pair two) dim -> (pair head two) dim", head=heads, two=2)': "The heads were "
            "mixed. Each stays together: (head two pair).",
            "torch.cat([half for head in weight.chunk(heads) for half in (head[1::2], head[::2])])": "In each head the "
            "second half came first.",
            'rearrange(weight, "dim (head pair two) -> dim (head two pair)", head=heads, two=2)': "You reordered the "
            "columns. It is the rows that make queries and keys.",
        },
    }))  # fmt: skip

# Prompts and answers

PAST = [("sit", "sat"), ("take", "took"), ("keep", "kept")]
LINES = 'f"{asked} -> {answer}\\n" for asked, answer in shots if asked != question'
QUESTION = 'f"{question} ->"'
SPACE = "There is a space behind the last arrow. It belongs to the answer's first token: end with the arrow."


def texts(got: Any, want: Any, case: Case) -> str | None:
    """Two prompts, told apart by what differs."""
    if not isinstance(got, str):
        return f"Hand back one string, and not a {type(got).__name__}."
    if got == want:
        return None
    if got.rstrip(" ") == want:
        return SPACE
    return f"expected {want!r}, got {got!r}"


prompt = Check(
    cases=lambda seed: [
        Case("no shots", [], "run"), Case("one shot", PAST[:1], "run"), Case("three shots", PAST, "go"),
        Case("words with spaces", [("South Korea", "Seoul"), ("Peru", "Lima")], "Saudi Arabia"),
        Case("a shot that asks the same question", PAST, " take".strip()),  # equal, and not the same object
        Case("an answer that is another's question", [("open", "closed"), ("hot", "cold")], "cold"),
        Case("a question that another contains", [("sit", "sat"), ("it", "its"), ("item", "items")], "it"),
        Case("a question that contains others, and a shot twice",
             [("go", "went"), ("it", "its"), ("go", "gone"), ("sit", "sat")], "sitting")],
    compare=texts,
    hints=(
        "A line for each shot, with a line break at its end; then the question, up to its arrow and no further.",
        "Join f\"{asked} -> {answer}\\n\" of all shots whose question is another one; add f\"{question} ->\"."),
    misconceptions=edits({
        QUESTION: {
            'f"{question} -> "': SPACE,
            'f"{question}"': "The last arrow is missing: the model does not know that an answer is due.",
            'f"{question} ->\\n"': "There is a line break behind the last arrow: the answer would stand on a line of "
            "its own.",
            "''": "The question is missing at the end."},
        LINES: {
            LINES.removesuffix(" if asked != question"): "A shot that asks the same question is still there, and so "
            "the answer stands in the prompt. Leave it out.",
            LINES.replace("\\n", ""): "There is no line break behind a shot.",
            LINES.replace("\\n", " "): "The shots stand on one line. Each has a line of its own: end it with \\n.",
            LINES.replace("\\n", "\\n\\n"): "There is an empty line behind every shot. One line break is enough.",
            LINES.replace("{asked} -> {answer}", "{answer} -> {asked}"): "Question and answer are turned round.",
            LINES.replace("{asked} -> {answer}", "{asked} ->"): "The shots have no answers.",
            LINES.replace("asked != question", "question not in (asked, answer)"): "You left out shots whose answer is "
            "the question, too. Only one with the same *question* must go.",
            LINES.replace("asked != question", "question not in asked"): "You left out shots that merely contain the "
            "question. Only the same question must go.",
            LINES.replace("asked != question", "asked not in question"): "You left out shots that the question merely "
            "contains. Only the same question must go.",
            LINES.replace("shots if asked != question", "shots[: [*(a for a, _ in shots), question].index(question)]"):
            "You stopped at the shot that asks the same question. Leave it out, and go on: continue, not break.",
            LINES.replace("in shots", "in shots[::-1]"): "The shots are in reverse order."},
    }))  # fmt: skip


def read_text(
    label: str, draw: Draw, tokens: int, answer: int, vocabulary: int = 7, greedy: int = 0, spoilt: bool = False
) -> Case:
    """Scores of a text whose last tokens are an answer; the last `greedy` are likeliest (`spoilt`: not the last).

    Of all others, each is likeliest to follow itself.
    """
    numbers = (9 * draw(tokens)).long().abs() % vocabulary
    logits = draw(tokens, vocabulary)
    for place in range(tokens):
        next_one = tokens - greedy - 1 <= place < tokens - 1
        logits[place, numbers[place + next_one]] = logits[place].max() + 0.1  # the likeliest, and yet not likely
    if spoilt:
        logits[-2, numbers[-1]] -= 30
    return Case(label, 2 * logits, numbers, answer)


def as_pair(found: Any) -> tuple[Tensor, bool]:
    """A log-likelihood and a verdict, whatever they are made of."""
    likely, said = found
    return torch.as_tensor(likely, dtype=torch.float32).reshape(()), bool(said)


BEFORE = "logits[-answer - 1 : -1], tokens[-answer:]"
PICKED = "before.log_softmax(dim=-1).gather(1, said[:, None]).sum()"
SAME = "bool((before.argmax(dim=-1) == said).all())"
answer_score = Check(
    cases=drawn(
        lambda draw: Case("an answer of one token", tensor([[1.0, 2.0, 0.0], [0.0, 3.0, 1.0], [0.0, 5.0, 0.0]]),
                          tensor([0, 2, 1]), 1),
        lambda draw: read_text("an answer of one token, which it would write", draw, 4, 1, greedy=1),
        lambda draw: read_text("an answer of three tokens", draw, 6, 3),
        lambda draw: read_text("of three tokens, which it would write", draw, 7, 3, greedy=3),
        lambda draw: read_text("of which it would write the last two of three", draw, 6, 3, greedy=2),
        lambda draw: read_text("of which it would write the first two of three", draw, 6, 3, greedy=3, spoilt=True),
        lambda draw: read_text("all but the first token is the answer", draw, 5, 4),
        lambda draw: read_text("the same, and it would write it", draw, 5, 4, greedy=4),
        lambda draw: read_text("as many tokens as there are pieces", draw, 7, 2)),
    normal=as_pair,
    hints=(
        "The scores at a token are of the next one. So those of the answer's first token stand at the prompt's last.",
        "before = logits[-answer - 1 : -1] and said = tokens[-answer:] belong together. log_softmax, gather(1, "
        "said[:, None]), sum; and argmax of each row, compared with said."),
    misconceptions=edits({
        BEFORE: {
            "logits[:-1], tokens[1:]": "The prompt's tokens were scored, too. Only the last `answer` tokens count.",
            "logits[-answer:], tokens[-answer:]": "The scores were held against the token they were made from. They "
            "say what comes next: begin one earlier, and leave out the last.",
            "logits[-answer:-1], tokens[-answer + 1 :]": "The answer's first token is missing: its scores stand at "
            "the prompt's last token.",
            "logits[-answer - 2 : -1], tokens[-answer - 1 :]": "The prompt's last token was scored, too.",
            "logits[-answer - 1 : -2], tokens[-answer:-1]": "The answer's last token is missing."},
        PICKED: {
            "before.log_softmax(dim=-1)[:, said].sum()": "[:, said] takes every token of the answer from every row. "
            "Of row i only token i belongs: gather(1, said[:, None]).",
            "before.log_softmax(dim=-1).gather(1, said[:, None]).mean()": "That is the mean. The log-likelihood of an "
            "answer is the sum over its tokens.",
            "before.gather(1, said[:, None]).sum()": "These are scores, not log-probabilities: log_softmax.",
            "before.softmax(dim=-1).gather(1, said[:, None]).sum()": "You added probabilities. Add their logarithms: "
            "log_softmax.",
            "before.softmax(dim=-1).gather(1, said[:, None]).prod()": "That is the probability. Its logarithm was "
            "asked for.",
            "-before.log_softmax(dim=-1).gather(1, said[:, None]).sum()": "The sign is wrong: a log-likelihood is "
            "below zero, and higher is likelier.",
            "before.log_softmax(dim=0).gather(1, said[:, None]).sum()": "The softmax ran over the tokens. Over the "
            "vocabulary: dim=-1.",
            "before.log_softmax(dim=-1).max(dim=-1).values.sum()": "That is the likeliest token's, and not the "
            "answer's: gather."},
        SAME: {
            "bool((before.argmax(dim=-1) == said).any())": "One right token is not enough: all of them.",
            "bool(before.argmax(dim=-1)[0] == said[0])": "You looked at the first token alone. All must be right.",
            "bool(before.argmax(dim=-1)[-1] == said[-1])": "You looked at the last token alone. All must be right.",
            "bool((logits[:-1].argmax(dim=-1) == tokens[1:]).all())": "The prompt's tokens were held against the "
            "likeliest, too. Only the answer's count.",
            "bool((logits[-answer:].argmax(dim=-1) == said).all())": "The likeliest tokens come from one place too "
            "late. They say what comes next: take those of `before`."},
    }))  # fmt: skip

# Adapter and calibration


def no_full_matrix(x: Tensor, weight: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """A mistake: the adapter works on what the matrix has made."""
    y = x @ weight.T
    return y + (y[..., : down.shape[1]] @ down.T) @ up.T if y.shape[-1] >= down.shape[1] else y


class Made(TorchDispatchMode):
    """Notes the size of whatever is made; a matrix's copies and views and changes in place are nothing new."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.known, self.sizes = {place_of(matrix)}, list[torch.Size]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run it, and note."""
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and not func._schema.is_mutable:
            if func is torch.ops.aten.clone.default and place_of(args[0]) in self.known:
                self.known.add(place_of(made))
            if place_of(made) not in self.known:
                self.sizes.append(made.squeeze().shape)
        return made


def place_of(x: Tensor) -> int:
    """Where its numbers lie; views have the place of what they are of."""
    return x.untyped_storage().data_ptr()


def stays_thin(function: Any, case: Case) -> str | None:
    """no matrix of the full size is made"""
    _, weight, down, up = case.args
    if down.shape[0] >= min(weight.shape):
        return None
    with Made(weight) as made:
        function(weight.new_ones(7, weight.shape[1]), weight, down, up)
    if {weight.shape, weight.T.shape} & set(made.sizes):
        return "up @ down is a matrix of the full size. Take x through down first, and what comes out through up."
    return None


def trains(function: Callable, case: Case) -> str | None:
    """the right gradient reaches x and the adapter; the matrix is frozen"""
    right = CHECKS["low_rank"].reference
    return same_gradient(lambda x, weight, *pair: right(x, weight.detach(), *pair))(function, case)


low_rank = Check(
    cases=drawn(
        lambda draw: Case("one number in and out", tensor([[2.0]]), tensor([[3.0]]), tensor([[0.5]]), tensor([[4.0]])),
        lambda draw: Case("rank one", draw(2, 3), draw(4, 3), draw(1, 3), draw(4, 1)),
        lambda draw: Case("two texts, rank two", draw(2, 5, 6), draw(3, 6), draw(2, 6), draw(3, 2)),
        lambda draw: Case("an adapter that does nothing yet", draw(3, 4), draw(4, 4), draw(2, 4), torch.zeros(4, 2)),
        lambda draw: Case("all of one size", draw(3, 3), draw(3, 3), draw(3, 3), draw(3, 3))),
    laws=[stays_thin, trains],
    hints=(
        "Two ways side by side, and their sum: the old matrix; and first down to the rank, then up again.",
        "x @ weight.T + (x @ down.T) @ up.T."),
    misconceptions=edits({
        "x @ weight.T": {
            "0": "The old matrix is missing: the adapter is added to it.",
            "x": "The old matrix is missing: the adapter is added to x @ weight.T, and not to x.",
            "x @ weight.T + x": "x itself was added. Only the matrix and its adapter.",
            "x @ weight": "The matrix lies as [out, in]: x @ weight.T."},
        " + ": {
            " - ": "The adapter is added, not subtracted.",
            " * ": "The adapter is added, not multiplied.",
            " + 2 * ": "The adapter was added twice."},
        "(x @ down.T)": {
            "F.silu(x @ down.T)": "There is nothing between down and up: both maps are linear.",
            "F.relu(x @ down.T)": "There is no ReLU between down and up: both maps are linear."},
        "up.T": {
            "up.T / down.shape[0]": "You divided by the rank. Here nothing is scaled."},
    }, versions={
        "The adapter worked on the matrix's output. It takes x itself, beside the matrix.": no_full_matrix,
    }))  # fmt: skip


def guesses(label: str, draw: Draw, items: int, inputs: int, labels: int) -> Case:
    """Shares of labels after some items, and after some inputs that mean nothing."""
    return Case(label, draw(items, labels).softmax(dim=-1), draw(inputs, labels).softmax(dim=-1))


FAIR, SHARED = "shares / after_nothing.mean(dim=0)", "fair / fair.sum(dim=-1, keepdim=True)"
calibrate = Check(
    cases=drawn(
        lambda draw: Case("one item, a prompt that wishes for the first label", tensor([[0.6, 0.4]]),
                          tensor([[0.75, 0.25]])),
        lambda draw: Case("two inputs that mean nothing", tensor([[0.6, 0.4], [0.9, 0.1]]),
                          tensor([[0.9, 0.1], [0.5, 0.5]])),
        lambda draw: guesses("four items, three labels", draw, 4, 1, 3),
        lambda draw: guesses("five items, four labels, three inputs", draw, 5, 3, 4),
        lambda draw: guesses("as many of everything", draw, 3, 3, 3),
        lambda draw: Case("a prompt that wishes for nothing", draw(3, 4).softmax(dim=-1), torch.full((2, 4), 0.25))),
    hints=(
        "What does each label get after nothing, in the mean over the inputs? How do you take that out of a share?",
        "fair = shares / after_nothing.mean(dim=0); then fair / fair.sum(dim=-1, keepdim=True)."),
    misconceptions=edits({
        FAIR: {
            "shares * after_nothing.mean(dim=0)": "You multiplied: the prompt's wish counts twice now. Divide by it.",
            "shares - after_nothing.mean(dim=0)": "You subtracted. Divide by what nothing gets.",
            "shares / after_nothing": "The mean over the inputs is missing: .mean(dim=0).",
            "shares / after_nothing[0]": "Only one input was used. Take the mean over all of them.",
            "shares / shares.mean(dim=0)": "You divided by the items' own mean. By that after nothing.",
            "shares / after_nothing.log().mean(dim=0).exp()": "You took the mean of logarithms. Take that of the "
            "shares.",
            "(1 / after_nothing).mean(dim=0) * shares": "First the mean over the inputs, then divide by it; not the "
            "other way round."},
        f"{FAIR}\n    return {SHARED}": {
            f"shares[:, None] / after_nothing\n    return ({SHARED}).mean(dim=1)": "You took the mean of what each "
            "input makes of the shares. First the mean over the inputs, then divide by it."},
        SHARED: {
            "fair": "The shares do not sum to 1 any more: divide by their sum.",
            "fair.softmax(dim=-1)": "A softmax of shares makes them nearly equal. Divide by their sum.",
            "fair / fair.sum()": "You divided by the sum over all items. Each row sums to 1: dim=-1."},
    }))  # fmt: skip

CHECKS = exercises("05", {
    "rotate": rotate, "rms_norm": rms_norm, "swiglu": swiglu, "grouped_attention": grouped_attention,
    "unpermute": unpermute, "prompt": prompt, "answer_score": answer_score, "low_rank": low_rank,
    "calibrate": calibrate,
})  # fmt: skip
