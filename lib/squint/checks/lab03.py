"""Lab 03, the Transformer: norms and residuals, blocks and towers, what is learned from and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn, tensor

from squint.checks.engine import Case, Check, edits, exercises
from squint.nn.attention import MultiHeadAttention, causal_mask, padding_mask
from squint.nn.transformer import FeedForward, LayerNorm


def drawn(make: Callable[..., list[Case]]) -> Callable[[int], list[Case]]:
    """Cases made with what draws normal numbers of some shape."""
    return lambda seed: make(partial(torch.randn, generator=torch.Generator().manual_seed(seed)))


along = "x.mean({0})\n    variance = centred.square().mean({0})".format
layer_norm = Check(
    cases=drawn(lambda draw: [
        Case("one vector, gain 1 and bias 0", tensor([[1.0, 2.0, 3.0, 6.0]]), torch.ones(4), torch.zeros(4)),
        *(Case(label, x, (1 + draw(x.shape[-1]) / 2).to(x), draw(x.shape[-1]).to(x)) for label, x in (
            ("one vector, any gain and bias", draw(1, 4)), ("two vectors", draw(2, 5)), ("three of three", draw(3, 3)),
            ("two sentences of three words", draw(2, 3, 6)), ("four sentences of four words, four wide", draw(4, 4, 4)),
            # An eighth has no rounding error, a sixth has one that looks like a variance.
            ("entries around 10", 10 + 3 * draw(2, 8)), ("entries that are all the same", torch.full((1, 8), 2.5)),
            ("very small entries", 2e-3 * draw(2, 8)), ("float64", draw(2, 3, 8).double()))),
        Case("another epsilon", draw(2, 6), draw(6), draw(6), epsilon=0.1)]),
    atol=1e-4, gradients=True, hints=(
        "Take something off each vector, divide it by something, then gain and bias. Which axis holds its entries?",
        "The mean over the last axis, with keepdim=True. The variance: the mean of the squared differences from it. "
        "Divide the differences by the root of (variance + epsilon); then times the gain, plus the bias."),
    misconceptions=edits({
        along("dim=-1, keepdim=True"): {
            along("dim=0, keepdim=True"): "This is batch norm, across sentences. Each vector by itself: the last axis.",
            along(""): "Mean and variance were taken over everything at once. Each vector has its own."},
        "x.mean(dim=-1, keepdim=True)": {"0": "The mean was not taken off, as in the later root-mean-square norm."},
        "centred.square().mean(dim=-1, keepdim=True)": {
            "x.var(dim=-1, keepdim=True)": "`.var()` and `.std()` divide by n − 1, layer norm by n: say correction=0.",
            "x.square().mean(dim=-1, keepdim=True)": "You squared x itself. Square the differences from the mean.",
            "centred.square().sum(dim=-1, keepdim=True)": "You took a sum of squares. A variance is their mean."},
        "gain * centred": {"centred": "The gain is missing: multiply the normalised entries by it."},
        "(variance + epsilon).sqrt()": {"(variance + epsilon)": "You divided by the variance: take its root.",
            "(variance.sqrt() + epsilon)": "Epsilon stands outside the root: add it to the variance, inside.",
            "1": "The division is missing: after the mean is off, divide by the root of (variance + epsilon).",
            "variance.sqrt()": "Epsilon is missing, and equal entries divide 0 by 0. Add it, inside the root."},
        " + bias": {"": "The bias is missing: add it at the end."},
        "gain * centred / (variance + epsilon).sqrt() + bias": {
            "bias * centred / (variance + epsilon).sqrt() + gain": "Gain and bias are swapped: times gain, plus bias.",
            "nn.LayerNorm(x.shape[-1], eps=epsilon).to(x)(x)": "`nn.LayerNorm` has a gain and bias of its own. Use "
            "those that are handed in."},
    }))  # fmt: skip

residual = Check(
    cases=drawn(lambda draw: [
        Case(f"{label}, the norm {'first' if first else 'last'}", x, sublayer, F.normalize, first)
        for label, x, sublayer in (
            ("one vector", tensor([[1.0, 2.0, 3.0, 6.0]]), torch.square), ("a sentence", draw(3, 4), torch.exp),
            ("a batch", draw(2, 3, 6), torch.sin), ("nothing to add", draw(2, 5), torch.zeros_like))
        for first in (True, False)]),
    gradients=True, hints=(
        "Two formulas stand above. One `if` chooses between them.",
        "With norm_first, the sublayer sees norm(x), and what it says is added to x itself, not to norm(x). Otherwise "
        "the sublayer sees x, what it says is added to x, and the norm is taken of the sum."),
    misconceptions=edits({
        "if norm_first": {"if False": "The norm comes last even where it should come first: x + sublayer(norm(x)).",
            "if not norm_first": "The two orders are swapped: norm_first=True means that the sublayer sees norm(x).",
            "if True": "The norm comes first whatever was asked. Without norm_first it is norm(x + sublayer(x))."},
        "x + sublayer(norm(x))": {"sublayer(norm(x))": "With the norm first, x itself is missing: add to it.",
            "x + sublayer(x)": "With the norm first, the norm is missing: the sublayer sees norm(x).",
            "norm(x) + sublayer(norm(x))": "With the norm first, you add to norm(x). The road stays free: add to x.",
            "x + norm(sublayer(x))": "With the norm first, you normalised the sublayer's answer, not what it sees.",
            "norm(x + sublayer(norm(x)))": "With the norm first, nothing comes after the sum: the road stays free."},
        "norm(x + sublayer(x))": {"norm(sublayer(x))": "With the norm last, x itself is missing: normalise the sum.",
            "norm(x) + sublayer(x)": "With the norm last, x alone was normalised, not the sum.",
            "x + norm(sublayer(x))": "With the norm last, only the sublayer's answer was normalised, not the sum.",
            "x + sublayer(x)": "With the norm last, the norm is missing: take it of the sum, norm(x + sublayer(x))."},
        "x + sublayer(norm(x))\n    return norm(x + sublayer(x))": {
            "x + sublayer(x)\n    return x + sublayer(x)": "The norm is missing: before the sublayer, or of the sum."},
    }))  # fmt: skip


class Block(nn.Module):
    """What a block consists of, random and fixed; its attributes are those of lab 03's blocks, called as those are."""

    def __init__(self, dim: int, norm_first: bool, draw: Callable[..., Tensor], crosses: bool = True):
        super().__init__()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            self.attention, self.feed_forward = MultiHeadAttention(dim, 2), FeedForward(dim, 2 * dim)
            self.cross_attention = MultiHeadAttention(dim, 2) if crosses else None
            self.norms = nn.ModuleList(LayerNorm(dim) for _ in range(3 if crosses else 2))
            self.norm_first = norm_first
            self.__name__ = f"a {'pre' if norm_first else 'post'}-norm block"
            for parameter in self.parameters():
                parameter.copy_(draw(*parameter.shape) / 2)
        for part in (self.attention, self.cross_attention, self.feed_forward, *self.norms):
            if part is not None:  # float64, too
                part.register_forward_pre_hook(lambda part, x: part.to(x[0].dtype) and None if x else None)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor | None = None, seen: Tensor | None = None) -> Tensor:
        """The decoder's block, with the norm first."""
        x = x + self.attention(self.norms[0](x), mask=mask)
        assert self.cross_attention is not None
        x = x + self.cross_attention(self.norms[1](x), memory.to(x), seen)
        return x + self.feed_forward(self.norms[2](x))


AROUND = "x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], block.norm_first)"
AFTER = "return residual(x, block.feed_forward, block.norms[1], block.norm_first)"
wired = "mask, residual=lambda x, sublayer, norm, first: {}):".format
encoder_block = Check(
    cases=drawn(lambda draw: [
        Case(label, Block(x.shape[-1], first, draw, crosses=False), x, mask)
        for label, first, x, mask in (
            ("two words, the norm first", True, draw(1, 2, 4), None),
            ("two words, the norm last", False, draw(1, 2, 4), None),
            ("three words, one of them filling", True, draw(1, 3, 4), tensor([[[True, True, False]]])),
            ("a batch, filled up, the norm last", False, draw(2, 5, 8), padding_mask(tensor([3, 5]), 5)),
            ("four sentences of four words", True, draw(4, 4, 8), None))]),
    gradients=True, hints=(
        "Two residuals, one after the other. What is the sublayer of each, and which norm goes with it?",
        "residual(x, sublayer, norm, norm_first), twice. The first sublayer is lambda y: block.attention(y, "
        "mask=mask), the second is block.feed_forward itself. What the first hands back is the second's x."),
    misconceptions=edits({
        "block.attention(y, mask=mask)": {
            "block.attention(y)": "The mask is not handed on, so words look at filling: block.attention(y, mask=mask).",
            "block.attention(x, mask=mask)": "Inside the lambda stands x, not y: so the attention misses the norm."},
        AROUND: {AROUND[4:]: "Nothing comes of the attention: is it missing, or was its result not kept as x = …?"},
        AFTER: {
            "return x": "Nothing comes of the small network: is it missing, or was its result not handed back?",
            "return x + block.feed_forward(x)": "The small network has no norm: hand it to residual, with norms[1].",
            f"return block.norms[1]({AFTER[7:]})": "A norm too many at the end: residual knows where it belongs."},
        f"{AROUND}\n    {AFTER}": {
            "x = block.attention(x, mask=mask)\n    return block.feed_forward(x)": "There is neither sum nor norm: put "
            "both sublayers into residual.",
            AFTER.replace("return", "x =") + "\n    return" + AROUND[3:]: "The small network came before the "
            "attention: first look around, then think."},
        "norms[0]": {"norms[1]": "The attention has the small network's norm. It has its own, norms[0]."},
        "norms[1]": {"norms[0]": "The small network has the attention's norm. It has its own, norms[1]."},
        "mask):\n    x": {
            wired("x + sublayer(norm(x))") + "\n    x": "The norm always comes first: hand block.norm_first on.",
            wired("norm(x + sublayer(x))") + "\n    x": "The norm always comes last: hand block.norm_first on.",
            wired("x + sublayer(x)") + "\n    x": "There are no norms: put both into residual, each with its norm.",
            wired("sublayer(norm(x)) if first else norm(sublayer(x))") + "\n    x": "There are no residuals.",
            wired("norm(x + sublayer(x)) if first else x + sublayer(norm(x))") + "\n    x":
            "Pre-norm and post-norm are swapped."},
    }))  # fmt: skip

LOOK = "x = residual(x, lambda y: block.attention(y, mask=mask), norms[0], first)"
OVER = "x = residual(x, lambda y: block.cross_attention(y, memory, memory_mask), norms[1], first)"
THINK = "return residual(x, block.feed_forward, norms[2], first)"
joined = "memory_mask, residual=lambda x, sublayer, norm, first: {}):".format
REAL = padding_mask(tensor([3, 5]), 5)
decoder_block = Check(
    cases=drawn(lambda draw: [
        Case(label, Block(x.shape[-1], first, draw), x, memory, mask and causal_mask(mask), real)
        for label, first, x, memory, mask, real in (
            ("two words, the norm first", True, draw(1, 2, 4), draw(1, 2, 4), 2, REAL[:1, :, :2]),
            ("two words, the norm last", False, draw(1, 2, 4), draw(1, 2, 4), 2, REAL[:1, :, :2]),
            ("three words look at three, one of them filling", True, draw(1, 3, 4), draw(1, 3, 4), 3, REAL[:1, :, 1:4]),
            ("three words look at five others, some of them filling", True, draw(2, 3, 8), draw(2, 5, 8), 3, REAL),
            ("the same with the norm last", False, draw(2, 3, 8), draw(2, 5, 8), 3, REAL),
            ("nothing hidden", True, draw(2, 3, 8), draw(2, 4, 8), None, None))]),
    gradients=True, hints=(
        "It is the encoder's block above with one residual more in the middle. Who asks there, who is looked at?",
        "Three residuals, each with its own norm, each handing its result on as x: block.attention of y under `mask`; "
        "block.cross_attention, where y asks, of the memory under `memory_mask`; block.feed_forward."),
    misconceptions=edits({
        "block.attention(y, mask=mask)": {"block.attention(y)": "The self-attention has no mask: later words are seen.",
            "block.attention(y, mask=causal_mask(y.shape[1]))": "You made a mask of your own. Use `mask`, or None.",
            "block.attention(y, mask=memory_mask)": "The self-attention got `memory_mask`, which is for the memory.",
            "block.cross_attention(y, mask=mask)": "The words so far looked at each other through cross_attention."},
        "block.cross_attention(y, memory, memory_mask)": {
            "block.cross_attention(y)": "Cross-attention never reads the source. Its context is the memory, not y.",
            "block.cross_attention(memory, y)": "In cross-attention the memory asks. Let y ask, and look at memory.",
            "block.cross_attention(memory, y, memory_mask)": "Memory and words are swapped in the cross-attention: the "
            "word asks. cross_attention(y, memory, memory_mask).",
            "block.attention(y, memory, memory_mask)": "The memory has weights of its own: block.cross_attention.",
            "block.cross_attention(y, norms[1](memory), memory_mask)": "The memory went through the decoder's "
            "norm. It was normalised at the end of the encoder: hand it on as it is.",
            "block.cross_attention(y, memory)": "Cross-attention has no mask, so it looks at filling: memory_mask.",
            "block.cross_attention(y, memory, mask)": "Cross-attention got `mask`, which is for the words so far."},
        LOOK: {LOOK[4:]: "Nothing comes of self-attention: is it missing, or was its result not kept as x = …?"},
        OVER: {OVER[4:]: "Nothing comes of cross-attention: is it missing, or was its result not kept as x = …?"},
        THINK: {
            "return x": "Nothing comes of the small network: is it missing, or was its result not handed back?",
            "return x + block.feed_forward(x)": "The small network has no norm: hand it to residual, with norms[2].",
            f"return norms[2]({THINK[7:]})": "A norm too many at the end: residual knows where it belongs."},
        "norms[0]": {"norms[1]": "Self-attention has the wrong norm. Each has its own: norms[0], norms[1], norms[2]."},
        "norms[1]": {"norms[0]": "Cross-attention has self-attention's norm. It has its own, norms[1]."},
        "norms[2]": {"norms[1]": "The small network has cross-attention's norm. It has its own, norms[2]."},
        f"{LOOK}\n    {OVER}": {f"{OVER}\n    {LOOK}": "Cross-attention came before self-attention: turn them round."},
        "memory_mask):": {
            joined("x + sublayer(norm(x))"): "The norm always comes first: hand block.norm_first on to residual.",
            joined("norm(x + sublayer(x))"): "The norm always comes last: hand block.norm_first on to residual.",
            joined("x + sublayer(x)"): "There are no norms: put each of the three into residual, with its norm.",
            joined("x + norm(sublayer(x)) if first else sublayer(x + norm(x))"): "Sublayer and norm are swapped.",
            joined("x + x + sublayer(norm(x)) if first else x + norm(x + sublayer(x))"): "residual adds x already.",
            joined("norm(x + sublayer(x)) if first else x + sublayer(norm(x))"): "Pre-norm and post-norm are swapped.",
            joined("sublayer(norm(x)) if first else norm(sublayer(x))"): "There are no residuals: add x each time."},
    }))  # fmt: skip

TOKENS = tensor([[4, 1, 3], [2, 2, 0]])
SCALE = "The vectors are multiplied by {}. It is the root: √dim, as the table's rows are about 1 long."
embed = Check(
    cases=drawn(lambda draw: [
        Case("one text of two tokens", tensor([[2, 0]]), draw(3, 4)), Case("two texts of three", TOKENS, draw(5, 6)),
        Case("the same token at three places", tensor([[1, 1, 1]]), draw(2, 4)),
        Case("three texts of three tokens, four wide", TOKENS[[0, 1, 0]], draw(5, 4)),
        Case("four texts of one token", tensor([[3], [1], [2], [3]]), draw(4, 8)),
        Case("more tokens than the table has rows", tensor([[0, 1, 2, 2, 1, 0, 1]]), draw(3, 2))]),
    gradients=True, hints=(
        "Three things: look up, make longer, add the places. How wide are the vectors, and how many places are there?",
        "table[tokens] has [batch, tokens, dim], where dim = table.shape[1]. Times math.sqrt(dim). The places are "
        "sinusoidal(tokens.shape[1], dim, device=table.device): [tokens, dim], added to every text alike."),
    misconceptions=edits({
        "math.sqrt(dim) * table[tokens] + places": {
            "table[tokens] + places": "The factor is missing: multiply the vectors by √dim, or places drown the words.",
            "math.sqrt(dim) * (table[tokens] + places)": "The places were multiplied as well. Only the vectors are.",
            "math.sqrt(dim) * table[tokens]": "The places are missing: add them, or nobody knows what stands where.",
            "math.sqrt(dim) * table[tokens] * places": "You multiplied by the places. They are added.",
            "places.expand(*tokens.shape, dim) + 0 * table[tokens]": "The words themselves are missing: table[tokens].",
            "dim * table[tokens] + places": SCALE.format("dim"),
            "table[tokens] / math.sqrt(dim) + places": "You divided by √dim. The rows are to grow longer: multiply.",
            "math.sqrt(tokens.shape[1]) * table[tokens] + places": SCALE.format("the root of the number of tokens"),
            "math.sqrt(table.shape[0]) * table[tokens] + places": SCALE.format("the root of the vocabulary's size"),
            "math.sqrt(dim) * table[tokens] + math.sqrt(dim) * places.flip(-1)": "The places were turned round.",
            "math.sqrt(dim) * nn.Embedding(*table.shape).to(table)(tokens) + places": "You made a table of your own, "
            "with random rows. Look up in the one that is handed in.",
            "F.normalize(table[tokens], dim=-1) * math.sqrt(dim) + places": "You normalised the vectors. Multiply."},
        "sinusoidal(tokens.shape[1], dim, device=table.device)": {
            "sinusoidal(tokens.shape[1] + 1, dim, device=table.device)[1:]": "The places are counted from one: the "
            "first token's is place 0.",
            "sinusoidal(table.shape[0], dim, device=table.device)[tokens]": "The places were looked up by token. A "
            "place is where a token stands, whichever it is.",
            "sinusoidal(tokens.shape[0], dim, device=table.device)[:, None]": "The places run over the texts. They run "
            "over the tokens of each: tokens.shape[1].",
            "sinusoidal(len(tokens), dim, device=table.device)": "`len(tokens)` is the number of texts. The places are "
            "counted by `tokens.shape[1]`.",
            "sinusoidal(dim, tokens.shape[1] * 2, device=table.device)[:, ::2].T": "Tokens and dim are swapped."},
    }))  # fmt: skip


class Machine(nn.Module):
    """What a decoder consists of, random and fixed, and what an encoder has beside it."""

    def __init__(self, vocabulary: int, dim: int, blocks: int, draw: Callable[..., Tensor]):
        super().__init__()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            self.embedding = nn.Embedding(vocabulary, dim)
            self.decoder = nn.ModuleList(Block(dim, True, draw) for _ in range(blocks))
            self.encoder_norm, self.decoder_norm = LayerNorm(dim), LayerNorm(dim)
            for parameter in (*self.encoder_norm.parameters(), *self.decoder_norm.parameters()):
                parameter.copy_(draw(*parameter.shape))
            self.embedding.weight.copy_(draw(vocabulary, dim) / 2)
        self.__name__ = f"a model of {blocks} block{'s' * (blocks > 1)}"


THROUGH, EARLIER = "x = block(x, memory, earlier, real)", "causal_mask(target.shape[1], device=target.device)"
NORMED = "x = model.decoder_norm(block(x, memory, earlier, real))"
decode = Check(
    cases=drawn(lambda draw: [
        Case(label, Machine(6, 4, blocks, draw), tensor(target), draw(len(source), len(source[0]), 4), tensor(source))
        for label, blocks, target, source in (
            ("one block, two tokens look at three", 1, [[1, 4]], [[3, 5, 2]]),
            ("two blocks", 2, [[1, 4, 3]], [[5, 2]]), ("one token", 2, [[1]], [[4, 5, 2]]),
            ("a source that is filled up", 1, [[1, 4], [1, 5]], [[3, 5, 4, 2], [3, 2, 0, 0]]),
            ("another that is filled up", 2, [[1, 4, 3], [1, 5, 5]], [[3, 2, 0, 0], [3, 5, 4, 2]]),
            ("both filled up, three blocks", 3, [[1, 4, 3, 5], [1, 5, 0, 0]], [[3, 5, 4, 2], [3, 2, 0, 0]]))]),
    gradients=True, hints=(
        "It is `encode` above, with another start, other blocks, a memory, and one mask more. What is embedded?",
        "embed(target, model.embedding.weight). One mask from causal_mask(target.shape[1], …), one from source != PAD, "
        "with an axis for the queries in the middle: [:, None, :]. x = block(x, memory, the first, the second) for "
        "each block of model.decoder, and model.decoder_norm at the end."),
    misconceptions=edits({
        "embed(target, model.embedding.weight)": {
            "model.embedding(target)": "The target was looked up without √dim and places: use your `embed`.",
            "math.sqrt(memory.shape[-1]) * model.embedding(target)": "The target has no places: use your `embed`."},
        EARLIER: {
            "None": "Nothing keeps the target from looking ahead: the first mask is causal.",
            f"{EARLIER} & (target != PAD)[:, None, :]": "You hid the target's filling as well, from all. It needs no "
            "mask: the causal one hides it from every real word. And rows with nothing to see give other numbers.",
            f"~{EARLIER}": "The causal mask is upside down: True means “may be seen”.",
            f"{EARLIER}.mT": "The causal mask is transposed: each token sees what comes after it."},
        "(source != PAD)[:, None, :]": {
            "source != PAD": "The source's mask lacks the axis of the queries, in the middle: [:, None, :].",
            "None": "The filling of the source is seen. The second mask hides it: (source != PAD)[:, None, :].",
            "(target != PAD)[:, None, :]": "The second mask is for the memory: it is made of `source`.",
            "(source == PAD)[:, None, :]": "The source's mask is upside down: True means “may be seen”."},
        THROUGH: {
            "x = block(x, memory, real, earlier)": "The two masks are swapped: block(x, memory, mask, memory_mask).",
            NORMED: "The last norm comes once, after all blocks, and not after each as well.",
            "x = block(x, x, earlier, earlier)": "The blocks look at the target instead of the memory.",
            "x = block(x, model.encoder_norm(memory), earlier, real)": "The memory was normalised once more. It had "
            "its last norm in `encode`: hand it on as it is.",
            "block(x, memory, earlier, real)": "Nothing comes of the blocks: keep what each hands back as x, x = "
            "block(…). The memory stays the same for all of them."},
        f"{THROUGH}\n    return model.decoder_norm(x)": {
            f"{NORMED}\n    return x": "The last norm comes once, after all blocks."},
        "for block in model.decoder:": {
            "for block in model.decoder[:1]:": "Only the first block was used. Go through all of model.decoder.",
            "for block in reversed(model.decoder):": "The blocks ran from the top down. Begin with the first."},
        "model.decoder_norm(x)": {
            "x": "The last norm is missing: on a free road nobody has normalised the sum. model.decoder_norm.",
            "model.encoder_norm(x)": "The last norm is the encoder's. The decoder has its own, model.decoder_norm.",
            "model.decoder_norm(x) @ model.embedding.weight.mT": "These are logits already. Hand back the vectors."},
    }))  # fmt: skip

shift_right = Check(
    cases=lambda seed: [
        Case("one sentence of four tokens", tensor([[5, 6, 9, 2]])), Case("a single token", tensor([[2]])),
        Case("two sentences, one filled up", tensor([[5, 6, 7, 2], [8, 2, 0, 0]])),
        Case("another start token", tensor([[5, 6, 7], [9, 8, 3]]), 4),
        Case("four sentences of four tokens", torch.arange(3, 19).view(4, 4))],
    hints=(
        "Write it down for one sentence: labels a, b, end. When a is asked for, what may be seen? And when b is?",
        "A column of start tokens, of the labels' dtype; all labels but the last, labels[:, :-1]; side by side."),
    misconceptions=edits({
        "labels[:, :1], start": {"labels[:, :1], 1": "The start token is a parameter: use `start`, not 1."},
        "labels[:, :-1]": {"labels": "It is one token too long: leave out the last label, which nobody needs to see.",
            "labels[:, 1:]": "Only the first label was replaced, and no other was moved: each still sees itself."},
        "[first, labels[:, :-1]]": {"[labels]": "Nothing was shifted: each place sees, and copies, what is asked for.",
            "[labels[:, 1:], first]": "This is shifted to the left: each place sees the label after its own.",
            "[labels[:, :-1]]": "The start token is missing: it stands first, before all labels but the last.",
            "[labels[:, -1:], labels[:, :-1]]": "The last label came round to the front. There belongs `start`."},
        "first = torch.full_like(labels[:, :1], start)\n    return torch.cat([first, labels[:, :-1]], dim=1)": {
            "return torch.cat([torch.full_like(labels[:1], start), labels[:-1]])": "You moved whole sentences: dim=1.",
            "return F.pad(labels.flatten(), (1, 0), value=start)[:-1].view_as(labels)": "The end of each sentence came "
            "round into the next one. Every sentence begins with the start token.",
            "seen = labels.clone()\n    for place in range(1, labels.shape[1]):\n        "
            "seen[:, place] = seen[:, place - 1]\n    seen[:, 0] = start\n    return seen": "You read what you have "
            "just overwritten, so the first label fills the row. Read from `labels`, or go from right to left.",
            "return labels.roll(1)": "`roll` without dims takes all sentences for one, and puts the last label first."},
    }))  # fmt: skip

FILLED = tensor([[4, 1, 2, 3], [3, 2, 0, 0], [2, 0, 0, 0]])
smoothed_loss = Check(
    cases=drawn(lambda draw: [Case(label, logits, torch.as_tensor(labels), *more) for label, logits, labels, *more in (
        ("one token, no smoothing", tensor([[[0.0, 1.0, 3.0]]]), [[2]], 0.0),
        ("one token", tensor([[[0.0, 1.0, 3.0]]]), [[2]], 0.1), ("two tokens", draw(1, 2, 5), [[3, 2]], 0.1),
        ("three tokens of three", draw(3, 3, 3), [[1, 2, 1], [2, 2, 1], [1, 1, 2]], 0.2),
        ("several lengths, filled up", draw(3, 4, 5), FILLED, 0.1), ("no smoothing", draw(3, 4, 5), FILLED, 0.0),
        ("a sentence of nothing but filling", draw(2, 2, 5), [[3, 2], [0, 0]], 0.1),
        ("another number for filling", draw(2, 3, 6), [[0, 5, 4], [4, 3, 1]], 0.1, 4),
        ("the rest left out", draw(2, 2, 5), [[3, 2], [1, 0]]),
        ("very large logits", 150 * draw(2, 2, 5), [[3, 2], [1, 2]], 0.1))]),
    gradients=True, hints=(
        "First the loss of every token, as a table: a mixture of two things. What to do with the filling comes last.",
        "log_softmax gives all log-probabilities, gather picks each label's from them, and the spread is their mean at "
        "each place. A token's loss: −(1 − smoothing) · label's − smoothing · spread. Last, the real ones' mean."),
    misconceptions=edits({
        "logits.log_softmax(dim=-1)": {"logits": "These are raw logits. Take their log_softmax first.",
            "logits.softmax(dim=-1).log()": "A probability may round to 0, whose logarithm is infinite: `log_softmax`.",
            **{f"(logits.softmax(dim=-1) + {n}).log()": f"The small number {n} caps the loss of large logits, whose "
               "probabilities are smaller. `log_softmax` needs none." for n in (1e-8, 1e-9, 1e-10, 1e-12)},
            "logits.softmax(dim=-1).log_softmax(dim=-1)": "The softmax was taken twice: log_softmax is one already.",
            "logits.log_softmax(dim=1)": "The softmax ran over the tokens: the vocabulary's sum to one, dim=-1."},
        "log_probabilities.mean(dim=-1)": {"0": "What is spread is missing: nobody got the rest, smoothing.",
            "log_probabilities.sum(dim=-1)": "Every token got the whole share. It is shared out: take the mean.",
            "log_probabilities.mean()": "The spread was averaged over all places at once: each has its own, dim=-1.",
            "(log_probabilities.sum(dim=-1) - right) / (logits.shape[-1] - 1)": "The spread share went to the wrong "
            "tokens only. It goes to all alike, the label among them: smoothing / vocabulary each.",
            "log_probabilities.sum(dim=-1) / (logits.shape[-1] - 1)": "The spread was divided by vocabulary − 1.",
            "(log_probabilities.sum(dim=-1) - right - log_probabilities[..., padding]) / (logits.shape[-1] - 2)": "The "
            "spread went to all tokens but label and filling, over V − 2, as in the Annotated Transformer. Here it "
            "goes to all V alike.",
            "log_probabilities.sum(dim=-1) / (logits.shape[-1] - 2)": "The spread was divided by vocabulary − 2. It "
            "goes to all tokens alike: divide by the vocabulary, or take the mean."},
        "-(1 - smoothing) * right": {"-right": "The target adds up to more than one: the label gets 1 − smoothing."},
        "-(1 - smoothing) * right - smoothing * spread": {"-right": "Smoothing is not used: plain cross-entropy.",
            "-(1 - smoothing) * right + smoothing * spread": "The second term is added. Both have a minus.",
            "-smoothing * right - (1 - smoothing) * spread": "The two shares are swapped: 1 − smoothing for the label.",
            "(1 - smoothing) * right + smoothing * spread": "The sign is wrong: a loss is minus the log-probability."},
        "each[labels != padding]": {"each": "The filling is counted. Take the mean where labels != padding.",
            "each.where(labels != padding, 0)": "The filling costs nothing, but counts: divide by the real tokens.",
            "each[labels != 0]": "The number that stands for filling is a parameter: `padding`, not 0.",
            "torch.stack([e[real].mean() for e, real in zip(each, labels != padding)])": "You averaged within each "
            "sentence first, and one of nothing but filling is 0/0. Take one mean over all real tokens.",
            "torch.stack([e[real].mean() for e, real in zip(each, labels != padding) if real.any()])": "You averaged "
            "within each sentence first. All real tokens count alike: take one mean over all of them."},
    }))  # fmt: skip


class Pupil(nn.Module):
    """A small model that learns quickly; every case begins with the same weights, and without gradients."""

    def __init__(self, vocabulary: int, draw: Callable[..., Tensor]):
        super().__init__()
        self.seen, self.heard = (nn.Parameter(draw(vocabulary, 6) / 2) for _ in range(2))
        self.out, self.__name__ = nn.Parameter(draw(6, vocabulary) / 2), "a small model"
        self.begin = [parameter.detach().clone() for parameter in self.parameters()]

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits for what follows each token of the target: [batch, target, vocabulary]."""
        return (self.seen[target] + self.heard[source].mean(dim=1, keepdim=True)).tanh() @ self.out

    def __deepcopy__(self, memo: dict) -> Pupil:
        return self  # it is the one that its optimiser knows; `Lessons` puts it back


class Descent(torch.optim.SGD):
    """Plain gradient descent, which stays that of its model where cases are copied.

    A step puts new weights in place of the old: one that comes too early is wrong, and torch's error would hide it.
    """

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Every weight against its gradient, where it has one."""
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is not None:
                parameter.data = parameter.data - self.param_groups[0]["lr"] * parameter.grad

    def __repr__(self) -> str:
        return "its optimiser"

    def __deepcopy__(self, memo: dict) -> Descent:
        return self


class Lessons:
    """Batches of pairs. Whoever begins to go through them finds the model as it was at first."""

    def __init__(self, pupil: Pupil, pairs: list[tuple[Tensor, Tensor]]):
        self.pupil, self.pairs = pupil, pairs

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        with torch.no_grad():
            for parameter, value in zip(self.pupil.parameters(), self.pupil.begin, strict=True):
                parameter.copy_(value)
                parameter.grad = None
        for source, labels in self.pairs:
            yield source.to(self.pupil.out.device), labels.to(self.pupil.out.device)

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        return f"{len(self)} batch{'es' * (len(self) > 1)}"

    def __deepcopy__(self, memo: dict) -> Lessons:
        return self


def lessons(label: str, batches: int, shape: tuple[int, int], draw: Callable[..., Tensor]) -> Case:
    """A case for `train`: labels that end with the end token, 2, some of them filled up with 0."""
    pupil, pairs = Pupil(7, draw), []
    for _ in range(batches):
        sides = (shape, (shape[0], shape[1] + (batches > 3)))  # labels and source, which the last case tells apart
        labels, source = (3 + (97 * draw(*side)).long().remainder(4) for side in sides)
        labels[:, -1] = 2
        labels[1:, -2], labels[1:, -1] = 2, 0
        pairs.append((source, labels))
    return Case(label, pupil, Descent(pupil.parameters(), lr=0.7), Lessons(pupil, pairs))


STEP = "optimiser.zero_grad()\n        loss.backward()\n        optimiser.step()"
train = Check(
    cases=drawn(lambda draw: [
        lessons("three batches of one sentence", 3, (1, 4), draw), lessons("one batch", 1, (2, 5), draw),
        lessons("four batches of three sentences, filled up", 4, (3, 4), draw)]),
    rtol=1e-3, hints=(
        "The five lines of the list above, in that order, inside a loop over the batches.",
        "What the decoder sees is shift_right(labels), what it is asked for are the labels: loss = smoothed_loss(model("
        "source, shift_right(labels)), labels). Then optimiser.zero_grad(), loss.backward(), optimiser.step()."),
    misconceptions=edits({
        "losses = []\n    for source, labels in batches:": {
            "losses = []\n    for source, labels in list(batches)[:1]:": "Only the first batch was learned from. Is "
            "the `return` inside the loop?"},
        "model(source, shift_right(labels))": {
            "model(source, labels)": "The decoder sees the very labels that it is asked for. It sees them shifted: "
            "shift_right(labels).",
            "model(shift_right(labels), source)": "Source and target are swapped: model(source, target).",
            "model(shift_right(source), labels)": "The source was shifted. It is the labels that are.",
            "model(source, source)": "The decoder sees the source. Its target is shift_right(labels).",
            "model(labels, shift_right(labels))": "The encoder reads the answer. It reads the source."},
        "smoothed_loss(model(source, shift_right(labels)), labels)": {
            "smoothed_loss(model(source, shift_right(labels)), shift_right(labels))": "It is asked for what it sees. "
            "The loss is to the labels as they are.",
            "smoothed_loss(model(source, shift_right(labels)), labels, 0.0)": "There is no smoothing: use your "
            "smoothed_loss with its default.",
            "F.cross_entropy(model(source, shift_right(labels)).transpose(1, 2), labels, label_smoothing=0.1)":
            "The filling is counted: use your smoothed_loss, which leaves it out.",
            "smoothed_loss(model(source, shift_right(labels)).softmax(dim=-1), labels)": "The loss takes logits, and "
            "softmaxes them itself."},
        STEP: {
            "loss.backward()\n        optimiser.step()": "The gradients of earlier steps are still there, and new ones "
            "are added to them: optimiser.zero_grad() before loss.backward().",
            "optimiser.zero_grad()\n        loss.backward()": "Nothing is learned: the weights never change. It takes "
            "loss.backward() for the gradients and then optimiser.step(), and no zero_grad in between.",
            "optimiser.step()\n        optimiser.zero_grad()\n        loss.backward()": "It steps before it has the "
            "new gradients: optimiser.step() comes after loss.backward().",
            "optimiser.zero_grad()\n        (-loss).backward()\n        optimiser.step()": "It climbs: the sign of the "
            "loss was turned round."},
        "return losses": {
            "return [sum(losses) / len(losses)]": "That is one mean. Hand back the list, one loss a batch.",
            "return losses[::-1]": "The list runs backwards.", "return losses[-1:]": "Only the last loss came back."},
        "losses.append(loss.detach())": {
            "losses.append(smoothed_loss(model(source, shift_right(labels)), labels).detach())": "The loss was taken "
            "again after the step. Note the one that the step was made from.",
            "losses.append(loss.detach() / len(source))": "Divided once too often: the loss is a mean already.",
            "losses.append(loss.detach().exp())": "That is the perplexity. Note the loss."},
    }))  # fmt: skip

CHECKS = exercises("03", {
    "layer_norm": layer_norm, "residual": residual, "encoder_block": encoder_block, "decoder_block": decoder_block,
    "embed": embed, "decode": decode, "shift_right": shift_right, "smoothed_loss": smoothed_loss, "train": train,
})  # fmt: skip
