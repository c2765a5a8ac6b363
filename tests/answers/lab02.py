"""Lab 02's answers, right and wrong, as learners write them."""

from math import sqrt

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from squint.data import hand_made
from squint.nn import attention


def weights_by_einsum(query: Tensor, key: Tensor) -> Tensor:
    return torch.einsum("...qd,...kd->...qk", query, key).softmax(-1)


def weights_transposed_twice(query: Tensor, key: Tensor) -> Tensor:
    return F.softmax(key @ query.transpose(-1, -2), dim=-2).transpose(-1, -2)


def weights_by_loops(query: Tensor, key: Tensor) -> Tensor:
    rows = []
    for i in range(query.shape[-2]):
        scores = torch.stack([(query[..., i, :] * key[..., j, :]).sum(-1) for j in range(key.shape[-2])], dim=-1)
        share = torch.exp(scores - scores.max(-1, keepdim=True).values)
        rows.append(share / share.sum(-1, keepdim=True))
    return torch.stack(rows, dim=-2)


def weights_by_numpy(query: Tensor, key: Tensor) -> np.ndarray:
    scores = query.detach().cpu().numpy() @ np.swapaxes(key.detach().cpu().numpy(), -1, -2)
    share = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return share / share.sum(axis=-1, keepdims=True)


def product_by_einsum(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = torch.einsum("...qd,...kd->...qk", query, key) * query.shape[-1] ** -0.5
    if mask is not None:
        scores = torch.where(mask, scores, torch.tensor(-1e9, dtype=scores.dtype, device=scores.device))
    return torch.einsum("...qk,...kd->...qd", F.softmax(scores, dim=-1), value)


def product_scaled_early_in_place(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = torch.matmul(query / sqrt(key.size(-1)), key.transpose(-2, -1))
    if mask is not None:
        scores += torch.zeros_like(scores).masked_fill_(mask.logical_not(), float("-inf"))
    return torch.matmul(torch.softmax(scores, -1), value)


def product_masked_and_renormalised(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.mT / sqrt(query.shape[-1])
    weights = (scores - scores.amax(dim=-1, keepdim=True)).exp()
    weights = weights if mask is None else weights * mask
    return weights / weights.sum(dim=-1, keepdim=True) @ value


def padding_by_loops(lengths: Tensor, tokens: int) -> Tensor:
    rows = [[[position < int(length) for position in range(tokens)]] for length in lengths]
    return torch.tensor(rows, device=lengths.device)


def padding_filled_in_place(lengths: Tensor, tokens: int) -> Tensor:
    mask = torch.zeros(len(lengths), 1, tokens, dtype=torch.bool, device=lengths.device)
    for row, length in enumerate(lengths.tolist()):
        mask[row, 0, :length] = True
    return mask


def padding_by_numpy(lengths: Tensor, tokens: int) -> np.ndarray:
    return np.arange(tokens)[None, None, :] < lengths.cpu().numpy()[:, None, None]


def padding_looked_up(lengths: Tensor, tokens: int) -> Tensor:
    return torch.ones(tokens + 1, tokens, device=lengths.device).tril(-1).bool()[lengths].unsqueeze(1)


def causal_by_tril(tokens: int) -> Tensor:
    return torch.tril(torch.ones(tokens, tokens)).bool()


def causal_by_loops(tokens: int) -> Tensor:
    return torch.tensor([[key <= query for key in range(tokens)] for query in range(tokens)])


def causal_by_inversion(tokens: int) -> Tensor:
    return torch.triu(torch.ones(tokens, tokens), diagonal=1) == 0


def causal_by_numpy(tokens: int) -> np.ndarray:
    return np.tril(np.ones((tokens, tokens), dtype=bool))


def split_by_cutting(x: Tensor, heads: int) -> Tensor:
    return torch.stack(x.chunk(heads, dim=-1), dim=-3)


def split_by_transposing(vectors: Tensor, number: int) -> Tensor:
    batch, tokens, dim = vectors.shape
    return vectors.reshape(batch, tokens, number, dim // number).transpose(1, 2)


def split_by_loops(x: Tensor, heads: int) -> Tensor:
    part = x.shape[-1] // heads
    out = x.new_zeros(*x.shape[:-2], heads, x.shape[-2], part)
    for entry in range(x.shape[-1]):
        out[..., entry // part, :, entry % part] = x[..., entry]
    return out


def join_by_concatenating(x: Tensor) -> Tensor:
    return torch.cat(x.unbind(dim=-3), dim=-1)


def join_by_transposing(x: Tensor) -> Tensor:
    return x.transpose(-3, -2).flatten(start_dim=-2)


def join_by_loops(x: Tensor) -> Tensor:
    batch, heads, tokens, part = x.shape
    joined = x.new_empty(batch, tokens, heads * part)
    for head in range(heads):
        joined[:, :, head * part : (head + 1) * part] = x[:, head]
    return joined


class Written(nn.Module):
    """Multi-head attention in plain steps, each of which a version below replaces."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads, self.dim = heads, dim
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))

    def split(self, x: Tensor) -> Tensor:
        return attention.split_heads(x, self.heads)

    def join(self, x: Tensor) -> Tensor:
        return attention.join_heads(x)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        return attention.scaled_dot_product(query, key, value, mask)

    def project(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.q(x), self.k(context), self.v(context)

    def finish(self, attended: Tensor, x: Tensor) -> Tensor:
        return self.o(attended)

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        query, key, value = map(self.split, self.project(x, x if context is None else context))
        return self.finish(self.join(self.attend(query, key, value, attention.for_all_heads(mask))), x)


class Packed(Written):
    """One projection for queries, keys and values, as many libraries write it."""

    def __init__(self, dim: int, heads: int):
        nn.Module.__init__(self)
        self.heads, self.qkv, self.o = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def project(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.qkv(x).chunk(3, dim=-1)[0], *self.qkv(context).chunk(3, dim=-1)[1:]


class PackedKeysAndValues(Written):
    """Queries alone, keys and values from one projection, heads cut so that each takes every n-th entry."""

    def __init__(self, dim: int, heads: int):
        nn.Module.__init__(self)
        self.heads, self.kv = heads, nn.Linear(dim, 2 * dim)
        self.q, self.o = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def split(self, x: Tensor) -> Tensor:
        return rearrange(x, "... tokens (part heads) -> ... heads tokens part", heads=self.heads)

    def project(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.q(x), *self.kv(context).chunk(2, dim=-1)


class PackedByHead(Written):
    """One projection in which each head's query, key and value stand together."""

    def __init__(self, dim: int, heads: int):
        nn.Module.__init__(self)
        self.heads, self.qkv, self.o = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        pattern, context = (
            "... tokens (heads three part) -> three ... heads tokens part",
            x if context is None else context,
        )
        query = rearrange(self.qkv(x), pattern, heads=self.heads, three=3)[0]
        _, key, value = rearrange(self.qkv(context), pattern, heads=self.heads, three=3)
        return self.o(attention.join_heads(self.attend(query, key, value, attention.for_all_heads(mask))))


class Head(nn.Module):
    """One head with its own small projections."""

    def __init__(self, dim: int, part: int):
        super().__init__()
        self.key, self.query, self.value = nn.Linear(dim, part), nn.Linear(dim, part), nn.Linear(dim, part)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None) -> Tensor:
        return attention.scaled_dot_product(self.query(x), self.key(context), self.value(context), mask)


class ListOfHeads(nn.Module):
    """A list of heads, joined by concatenation."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = nn.ModuleList(Head(dim, dim // heads) for _ in range(heads))
        self.mix = nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        context = x if context is None else context
        return self.mix(torch.cat([head(x, context, mask) for head in self.heads], dim=-1))


class SeveralSmallHeads(nn.Module):
    """Three lists of small projections."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        part = dim // heads
        self.queries, self.keys, self.values = (
            nn.ModuleList(nn.Linear(dim, part) for _ in range(heads)) for _ in range(3)
        )
        self.mix = nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        context = x if context is None else context
        heads = [
            attention.scaled_dot_product(q(x), k(context), v(context), mask)
            for q, k, v in zip(self.queries, self.keys, self.values, strict=True)
        ]
        return self.mix(torch.cat(heads, dim=-1))


class FourMatrices(Written):
    """One parameter that holds all four matrices, and one that holds their biases."""

    def __init__(self, dim: int, heads: int):
        nn.Module.__init__(self)
        self.heads = heads
        self.w, self.b = nn.Parameter(torch.randn(4, dim, dim) / sqrt(dim)), nn.Parameter(torch.zeros(4, dim))

    def project(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return x @ self.w[0] + self.b[0], context @ self.w[1] + self.b[1], context @ self.w[2] + self.b[2]

    def finish(self, attended: Tensor, x: Tensor) -> Tensor:
        return attended @ self.w[3] + self.b[3]


class MatrixAHead(nn.Module):
    """A parameter [3, heads, dim, part] and einsum; the output's matrix is [heads, part, dim]."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.qkv = nn.Parameter(torch.randn(3, heads, dim, dim // heads) / sqrt(dim))
        self.out = nn.Parameter(torch.randn(heads, dim // heads, dim) / sqrt(dim))
        self.shift, self.last = nn.Parameter(torch.zeros(3, heads, 1, dim // heads)), nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        context = x if context is None else context
        query, key, value = (
            torch.einsum("...td,hdp->...htp", y, w) + b
            for y, w, b in zip((x, context, context), self.qkv, self.shift, strict=True)
        )
        attended = attention.scaled_dot_product(query, key, value, attention.for_all_heads(mask))
        return torch.einsum("...htp,hpd->...td", attended, self.out) + self.last


class MatricesOfHeads(nn.Module):
    """A parameter [heads, dim, part] for each of the three, with biases [heads, 1, part]."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        part = dim // heads
        self.wq, self.wk, self.wv = (nn.Parameter(torch.randn(heads, dim, part) / sqrt(dim)) for _ in range(3))
        self.bq, self.bk, self.bv = (nn.Parameter(torch.zeros(heads, 1, part)) for _ in range(3))
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        x = x.unsqueeze(-3)
        context = x if context is None else context.unsqueeze(-3)
        query, key, value = x @ self.wq + self.bq, context @ self.wk + self.bk, context @ self.wv + self.bv
        mask = mask if mask is None else mask.unsqueeze(-3)
        return self.out(attention.join_heads(attention.scaled_dot_product(query, key, value, mask)))


class ByPyTorch(nn.Module):
    """Made in another order, attending with PyTorch's own function."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.last, self.third, self.second, self.first = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        seen = x if context is None else context
        query, key, value = (
            y.unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for y in (self.first(x), self.second(seen), self.third(seen))
        )
        mask = mask if mask is None else mask.unsqueeze(-3)
        return self.last(F.scaled_dot_product_attention(query, key, value, mask).transpose(-3, -2).flatten(-2))


def sinusoidal_by_loops(tokens: int, dim: int) -> Tensor:
    table = torch.zeros(tokens, dim)
    for place in range(tokens):
        for pair in range(dim // 2):
            angle = torch.tensor(place / 10_000 ** (2 * pair / dim))
            table[place, 2 * pair], table[place, 2 * pair + 1] = angle.sin(), angle.cos()
    return table


def sinusoidal_by_logarithms(tokens: int, dim: int) -> Tensor:
    rate = torch.exp(torch.arange(0, dim, 2).double() * -(torch.tensor(10_000.0).double().log() / dim))
    table = torch.empty(tokens, dim, dtype=torch.float64)
    table[:, 0::2] = torch.sin(torch.arange(tokens).double()[:, None] * rate)
    table[:, 1::2] = torch.cos(torch.arange(tokens).double()[:, None] * rate)
    return table


def sinusoidal_by_numpy(tokens: int, dim: int) -> np.ndarray:
    angle = np.arange(tokens)[:, None] / 10_000 ** (np.arange(0, dim, 2) / dim)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(tokens, dim)


def sinusoidal_by_phase(tokens: int, dim: int) -> Tensor:
    column = torch.arange(dim)
    rate = 10_000 ** (-(column - column % 2) / dim)
    return (torch.arange(tokens)[:, None] * rate + column % 2 * torch.pi / 2).sin()


STANDS_IN, THING, ALIVE, PLACE, QUALITY, GLUE = (
    hand_made.FEATURES.index(name) for name in ("stands in", "thing", "alive", "place", "quality", "glue")
)


def by_hand(asks: dict[int, float]) -> Tensor:
    """The identity, but for the row that says what a word that stands in asks for."""
    w_query = torch.eye(len(hand_made.FEATURES))
    w_query[STANDS_IN] = 0
    for feature, loudness in asks.items():
        w_query[STANDS_IN, feature] = loudness
    return w_query


def sinusoidal_by_rotation(tokens: int, dim: int) -> Tensor:
    angle = torch.arange(tokens)[:, None] / 10_000 ** (torch.arange(0, dim, 2) / dim)
    return torch.view_as_real(torch.polar(torch.ones_like(angle), angle)).flip(-1).flatten(1)


RIGHT = {
    "attention_weights": [weights_by_einsum, weights_transposed_twice, weights_by_loops, weights_by_numpy],
    "scaled_dot_product": [product_by_einsum, product_scaled_early_in_place, product_masked_and_renormalised],
    "padding_mask": [padding_by_loops, padding_filled_in_place, padding_by_numpy, padding_looked_up],
    "causal_mask": [causal_by_tril, causal_by_loops, causal_by_inversion, causal_by_numpy],
    "w_query": [
        by_hand({THING: 8.0, ALIVE: 12.0, STANDS_IN: 1.0}),
        by_hand({THING: 15.0, ALIVE: 15.0, GLUE: -5.0}),
        by_hand({THING: 20.0, PLACE: -15.0, QUALITY: -4.0}),
        by_hand({THING: 10.0, ALIVE: 10.0}).double(),
        nn.Parameter(by_hand({THING: 10.0, ALIVE: 10.0})),
        by_hand({THING: 10.0, ALIVE: 10.0}).tolist(),
        by_hand({THING: 10.0, ALIVE: 10.0}).numpy(),
    ],
    "split_heads": [split_by_cutting, split_by_transposing, split_by_loops],
    "join_heads": [join_by_concatenating, join_by_transposing, join_by_loops],
    "MultiHeadAttention": [
        Packed, PackedKeysAndValues, PackedByHead, ListOfHeads, SeveralSmallHeads, FourMatrices, MatrixAHead,
        MatricesOfHeads, ByPyTorch,
    ],
    "sinusoidal": [sinusoidal_by_loops, sinusoidal_by_logarithms, sinusoidal_by_numpy, sinusoidal_by_phase,
        sinusoidal_by_rotation,
    ],
}  # fmt: skip

WRONG = [
    (
        "attention_weights",
        """
def attention_weights(query, key):
    e = (query @ key.mT).exp()
    return e / e.sum(-1, keepdim=True)
""",
        "Right as a formula",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask=None):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    e = scores.exp()
    return e / e.sum(-1, keepdim=True) @ value
""",
        "Right as a formula",
    ),
    (
        "attention_weights",
        """
def attention_weights(query, key):
    scores = query @ key.mT
    scores = scores - scores.amax(dim=-1, keepdim=True)
    positive = scores.exp()
    total = positive.sum(dim=-1)
    return positive / total
""",
        "`positive.sum(dim=-1)` drops the axis",
    ),
    (
        "attention_weights",
        """
def attention_weights(query, key):
    shape = query.shape[:-1] + key.shape[-2:-1]
    qs = query.reshape(-1, *query.shape[-2:])
    ks = key.reshape(-1, *key.shape[-2:])
    weights = torch.zeros(qs.shape[0], qs.shape[1], ks.shape[1], dtype=query.dtype)
    for b in range(qs.shape[0]):
        total = 0
        for i in range(qs.shape[1]):
            for j in range(ks.shape[1]):
                weights[b, i, j] = torch.exp(torch.dot(qs[b, i], ks[b, j]))
                total = total + weights[b, i, j].clone()
            weights[b, i] = weights[b, i].clone() / total
    return weights.reshape(shape)
""",
        "In your line `total = 0`",
    ),
    (
        "attention_weights",
        """
def attention_weights(query, key):
    q = query / query.norm(dim=-1, keepdim=True)
    k = key / key.norm(dim=-1, keepdim=True)
    return F.softmax(q @ k.transpose(-2, -1), dim=1)
""",
        "You compared by cosine",
    ),
    (
        "attention_weights",
        """
def attention_weights(query, key):
    return F.softmax(query @ key.transpose(1, 2), dim=-1)
""",
        "counts the axes from the front",
    ),
    (
        "attention_weights",
        """
def attention_weights(query, key):
    scores = query @ key.mT
    return scores.exp() / scores.exp().sum(dim=-1)
""",
        "`scores.exp().sum(dim=-1)` drops the axis",
    ),
    (
        "attention_weights",
        """
def attention_weights(query, key):
    return (query @ key).softmax(-1)
""",
        "`key` should be turned over",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask=None):
    dim = query.shape[-1]
    scores = torch.matmul(query, key.transpose(-2, -1))
    scores = scores * (1 / sqrt(dim))
    weights = torch.softmax(scores, dim=-1)
    if mask is not None:
        weights = weights * mask
    out = torch.matmul(weights, value)
    return out
""",
        "The mask came after the softmax",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask=None):
    scores = query @ key.mT / query.shape[-1] ** 1/2
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1) @ value
""",
        "in `d ** 1/2` and in `d ** -1/2` the power comes first",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask=None):
    dim = query.shape[-1]
    scores = query @ key.mT * dim ** -1/2
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1) @ value
""",
        "in `d ** 1/2` and in `d ** -1/2` the power comes first",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask=None):
    dim = query.shape[-1]
    scores = (query @ key.mT) / dim ** -1/2
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1) @ value
""",
        "in `/ d ** -1/2` the power comes first",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask=None):
    scores = query @ key.transpose(1, 2) / sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1) @ value
""",
        "counts the axes from the front",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask=None):
    scores = query @ key.mT / sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    positive = scores.exp()
    return positive / positive.sum(-1) @ value
""",
        "`positive.sum(-1)` drops the axis",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask=None):
    query, key, value = (torch.from_numpy(x.numpy()) for x in (query, key, value))
    scores = query @ key.mT / query.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1) @ value
""",
        "no gradient comes back",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask=None):
    scores = query.detach() @ key.mT / query.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1) @ value
""",
        "Stay in torch",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1) @ value
""",
        "keep the default",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask=None):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, -50)
    return scores.softmax(-1) @ value
""",
        "not low enough",
    ),
    (
        "padding_mask",
        """
def padding_mask(lengths, tokens):
    return torch.tensor([[p <= n for p in range(tokens)] for n in lengths.tolist()])
""",
        "One place too many",
    ),
    (
        "padding_mask",
        """
def padding_mask(lengths, tokens):
    mask = torch.zeros(len(lengths), 1, tokens)
    for i, n in enumerate(lengths):
        mask[i, 0, n:] = float("-inf")
    return mask
""",
        "a mask to add to the scores",
    ),
    (
        "causal_mask",
        """
def causal_mask(tokens):
    mask = torch.full((tokens, tokens), False)
    for query in range(tokens):
        mask[query, :query] = True
    return mask
""",
        "a word may see itself",
    ),
    (
        "causal_mask",
        """
def causal_mask(tokens):
    rows = []
    for n in range(1, tokens):
        rows.append([False] * (tokens - n) + [True] * n)
    return torch.tensor(rows)
""",
        "The triangle leans the wrong way",
    ),
    ("w_query", 'w_query = "the animal"', "yours is 'the animal'"),
    ("w_query", "w_query = torch.ones(7)", "yours is (7,)"),
    ("w_query", 'w_query = {"thing": 10}', "yours is {'thing': 10}"),
    (
        "w_query",
        """
w_query = torch.eye(7)
w_query[STANDS_IN, 6] = 10
""",
        "“it” gives 0% to its animal",
    ),
    (
        "w_query",
        """
w_query = torch.eye(7)
w_query[STANDS_IN, 5] = 10
""",
        "“tired” 72%",
    ),
    (
        "w_query",
        """
w_query = torch.eye(7)
w_query[STANDS_IN, ALIVE] = w_query[STANDS_IN, PLACE] = 10
""",
        "“it” asks for a place",
    ),
    (
        "w_query",
        """
w_query = torch.eye(7)
w_query[THING, STANDS_IN] = 10
""",
        "You filled the column",
    ),
    ("w_query", "w_query = 10 * torch.eye(7)", "has grown louder"),
    ("w_query", "w_query = torch.eye(7)\nw_query[STANDS_IN, ALIVE] = 10", "Ask louder, or for a thing too"),
    (
        "MultiHeadAttention",
        """
class Head(nn.Module):
    def __init__(self, dim, part):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(dim, part), nn.Linear(dim, part), nn.Linear(dim, part)

    def forward(self, x, context, mask):
        return scaled_dot_product(self.q(x), self.k(context), self.v(context), mask)


class MultiHeadAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = [Head(dim, dim // heads) for _ in range(heads)]
        self.mix = nn.Linear(dim, dim)

    def forward(self, x, context=None, mask=None):
        context = x if context is None else context
        return self.mix(torch.cat([head(x, context, mask) for head in self.heads], dim=-1))
""",
        "`self.heads` is a plain list",
    ),
    (
        "MultiHeadAttention",
        """
class MultiHeadAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.layers = [nn.Linear(dim, dim) for _ in range(4)]

    def forward(self, x, context=None, mask=None):
        context = x if context is None else context
        mask = None if mask is None else mask[..., None, :, :]
        q, k, v = (split_heads(f(y), self.heads) for f, y in zip(self.layers, (x, context, context)))
        return self.layers[3](join_heads(scaled_dot_product(q, k, v, mask)))
""",
        "`self.layers` is a plain list",
    ),
    (
        "split_heads",
        """
def split_heads(x, heads):
    batch, tokens, dim = x.shape
    return x.reshape(batch, heads, tokens, dim // heads)
""",
        "keep the order in memory",
    ),
    (
        "split_heads",
        """
def split_heads(x, heads):
    batch, tokens, dim = x.shape
    part = dim // heads
    out = torch.empty(batch, heads, tokens, part, dtype=x.dtype)
    for b in range(batch):
        for h in range(heads):
            for t in range(tokens):
                out[b, h, t] = x[b, t, h : h + part]
    return out
""",
        "The parts overlap",
    ),
    (
        "split_heads",
        """
def split_heads(x, heads):
    return rearrange(x.detach(), "b t (h p) -> b h t p", h=heads)
""",
        "Stay in torch",
    ),
    (
        "split_heads",
        """
def split_heads(x, heads):
    return rearrange(torch.from_numpy(x.numpy()), "b t (h p) -> b h t p", h=heads)
""",
        "no gradient",
    ),
    (
        "join_heads",
        """
def join_heads(x):
    return rearrange(x.detach(), "b h t p -> b t (h p)").numpy()
""",
        "no gradient",
    ),
    (
        "join_heads",
        """
def join_heads(x):
    last = x.shape[1] - 1
    columns = []
    for p in range(x.shape[3]):
        for h in range(last):
            columns.append(x[:, h, :, p])
    return torch.stack(columns, dim=-1)
""",
        "In your line `last = x.shape[1] - 1`",
    ),
    (
        "MultiHeadAttention",
        """
class MultiHeadAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.layers = nn.ModuleList([nn.Linear(dim, dim) for _ in range(4)])

    def forward(self, x, context=None, mask=None):
        context = x if context is None else context
        mask = None if mask is None else mask[..., None, :, :]
        b, n, d = x.shape
        q = self.layers[0](x).view(b, n, self.heads, d // self.heads).transpose(1, 2)
        k = self.layers[1](context).view(b, -1, self.heads, d // self.heads).transpose(1, 2)
        v = self.layers[2](context).view(b, -1, self.heads, d // self.heads).transpose(1, 2)
        out = scaled_dot_product(q, k, v, mask)
        out = out.contiguous().view(b, n, d)
        return self.layers[3](out)
""",
        "A reshape alone mixes up the words",
    ),
    (
        "MultiHeadAttention",
        """
class MultiHeadAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim)
        self.to_k = nn.Linear(dim, dim)
        self.to_v = nn.Linear(dim, dim)
        self.to_out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(0.1))

    def forward(self, x, context=None, mask=None):
        context = x if context is None else context
        mask = None if mask is None else mask[..., None, :, :]
        q = split_heads(self.to_q(x), self.heads)
        k = split_heads(self.to_k(context), self.heads)
        v = split_heads(self.to_v(context), self.heads)
        return self.to_out(join_heads(scaled_dot_product(q, k, v, mask)))
""",
        "In training mode",
    ),
    (
        "MultiHeadAttention",
        """
class MultiHeadAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x, context=None, mask=None):
        context = x if context is None else context
        mask = None if mask is None else mask[..., None, :, :]
        q, k, v = (split_heads(y, self.heads) for y in (self.q(x), self.k(context), self.v(context)))
        return self.o(join_heads(scaled_dot_product(q.detach(), k, v, mask)))
""",
        ".detach(",
    ),
    (
        "MultiHeadAttention",
        """
class MultiHeadAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x, context=None, mask=None):
        context = x if context is None else context
        mask = None if mask is None else mask[..., None, :, :]
        q, k, v = (split_heads(y, self.heads) for y in (self.q(x), self.k(context), self.k(context)))
        return self.o(join_heads(scaled_dot_product(q, k, v, mask)))
""",
        "One layer makes keys and values",
    ),
    (
        "MultiHeadAttention",
        """
class MultiHeadAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x, context=None, mask=None):
        context = x if context is None else context
        mask = None if mask is None else mask[..., None, :, :]
        q, k, v = (split_heads(y, self.heads) for y in (self.q(x), self.k(context), self.v(context)))
        return self.o(join_heads(scaled_dot_product(q * sqrt(q.shape[-1]), k, v, mask)))
""",
        "There is no scale",
    ),
    (
        "sinusoidal",
        """
import math


def sinusoidal(tokens, dim):
    table = torch.zeros(tokens, dim)
    for p in range(tokens):
        for i in range(dim // 2):
            angle = p / 10000 ** (i / dim)
            table[p, 2 * i] = math.sin(angle)
            table[p, 2 * i + 1] = math.cos(angle)
    return table
""",
        "The exponent is halved",
    ),
    (
        "sinusoidal",
        """
import math


def sinusoidal(tokens, dim):
    half = dim // 2
    sines = [[math.sin((p + 1) / 10000 ** (2 * i / dim)) for i in range(half)] for p in range(tokens)]
    cosines = [[math.cos((p + 1) / 10000 ** (2 * i / dim)) for i in range(half)] for p in range(tokens)]
    return torch.tensor([s + c for s, c in zip(sines, cosines)])
""",
        "The first place is 0, not 1",
    ),
    (
        "attention_weights",
        """
def attention_weights(query, key):
    return (key @ query.mT / query.shape[-1]).softmax(-1)
""",
        "You divided by d",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask=None):
    s = query @ key.mT
    if mask is not None:
        s = s.masked_fill(~mask, float("-inf"))
    return (s.softmax(-1) / sqrt(query.shape[-1])) @ value
""",
        "divided the weights",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask=None):
    s = query.float() @ key.float().mT / sqrt(query.shape[-1])
    if mask is not None:
        s = s.masked_fill(~mask, float("-inf"))
    return s.softmax(-1) @ value.float()
""",
        "made all of it 32 bits",
    ),
    (
        "scaled_dot_product",
        """
def scaled_dot_product(query, key, value, mask=None):
    w = attention_weights(query, key) / sqrt(query.shape[-1])
    if mask is not None:
        w = w.masked_fill(~mask, float("-inf"))
    return w.softmax(-1) @ value
""",
        "Two softmaxes",
    ),
    (
        "padding_mask",
        """
def padding_mask(lengths, tokens):
    m = torch.arange(tokens, device=lengths.device) < lengths[:, None]
    return m[:, None, :] & m[:, :, None]
""",
        "filling's own rows",
    ),
    (
        "split_heads",
        """
def split_heads(x, heads):
    return rearrange(x, "b t (heads part) -> (b heads) t part", heads=heads)
""",
        "melted into one axis",
    ),
    (
        "split_heads",
        """
def split_heads(x, heads):
    return rearrange(x, "b (heads t) part -> b heads t part", heads=heads)
""",
        "cut the words' axis",
    ),
    (
        "sinusoidal",
        """
def sinusoidal(tokens, dim):
    place = torch.arange(tokens)[:, None]
    angle = place / 10_000 ** torch.arange(0, dim, 2) / dim
    table = torch.empty(tokens, dim)
    table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle.cos()
    return table
""",
        "brackets are missing",
    ),
    (
        "sinusoidal",
        """
def sinusoidal(tokens, dim):
    import math

    table = torch.zeros(tokens, dim)
    for p in range(tokens):
        for i in range(dim // 2):
            table[p, i] = math.sin(p / 10_000 ** (2 * i / dim))
            table[p, i + 1] = math.cos(p / 10_000 ** (2 * i / dim))
    return table
""",
        "overwrite each other",
    ),
]
