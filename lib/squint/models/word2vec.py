"""Word vectors: skip-gram with negative sampling, its older cousin PPMI + SVD, and what one asks of either.

Three papers, named below by their letters:

- **M** Mikolov, Sutskever, Chen, Corrado, Dean: "Distributed Representations of Words and Phrases and their
  Compositionality" (2013). Skip-gram, subsampling (§2.3), negative sampling (§2.2).
- **L** Levy, Goldberg: "Neural Word Embedding as Implicit Matrix Factorization" (2014).
- **C** Caliskan, Bryson, Narayanan: "Semantics derived automatically from language corpora contain human-like
  biases" (2017). The word embedding association test.

Skip-gram's usual program visits one pair of words at a time. Here a *block* of consecutive words is scored against
itself by one matrix product, and a mask keeps the pairs that lie inside a window: most of the products are thrown
away, and it is still faster, since matrix products are what a processor does best.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid, normalize

# One word, one vector


def one_hot(ids: Int[Tensor, " words"], size: int) -> Float[Tensor, "words size"]:
    """A row a word: one in the column of its id, zero everywhere else."""
    return (ids[:, None] == torch.arange(size, device=ids.device)).float()


def embed(ids: Int[Tensor, "*shape"], table: Float[Tensor, "vocab dim"]) -> Float[Tensor, "*shape dim"]:
    """The rows of `table` that `ids` name: what `one_hot(ids, vocab) @ table` gives, without the one-hot matrix."""
    return table[ids]


# Words and their neighbours


def keep_probability(counts: Int[Tensor, " vocab"], threshold: float) -> Float[Tensor, " vocab"]:
    """How likely each word is to survive subsampling: min(1, √(t / f)), f its share of the corpus (M, §2.3)."""
    frequency = counts / counts.sum()
    return (threshold / frequency).sqrt().clamp(max=1)


def subsample(
    tokens: Int[Tensor, " n"],
    counts: Int[Tensor, " vocab"],
    threshold: float,
    uniform: Float[Tensor, " n"],
) -> Int[Tensor, " kept"]:
    """The tokens that survive: token i stays when `uniform[i]`, a draw from [0, 1), is below its keep probability."""
    return tokens[uniform < keep_probability(counts, threshold)[tokens]]


def window_pairs(tokens: Int[Tensor, " n"], radius: Int[Tensor, " n"]) -> Int[Tensor, "pairs 2"]:
    """Every (centre, context) pair of a sentence: contexts at most `radius[i]` words from centre i, never itself."""
    position = torch.arange(len(tokens), device=tokens.device)
    distance = (position[:, None] - position[None, :]).abs()
    centre, context = torch.where((distance > 0) & (distance <= radius[:, None]))
    return torch.stack([tokens[centre], tokens[context]], dim=1)


# The loss


def skipgram_loss(
    input_table: Float[Tensor, "vocab dim"],
    output_table: Float[Tensor, "vocab dim"],
    pairs: Int[Tensor, "pairs 2"],
    negatives: Int[Tensor, "pairs k"],
) -> Float[Tensor, ""]:
    """The mean over pairs of −log σ(u·v) − Σₖ log σ(−u·nₖ), in nats (M, eq. 4).

    u is the centre's input vector, v the context's output vector, nₖ the negatives' output vectors. A negative that
    happens to be the context itself is left out of the sum, as in the authors' program.
    """
    centre, context = pairs.unbind(1)
    u, v, n = input_table[centre], output_table[context], output_table[negatives]
    positive = logsigmoid((u * v).sum(1))
    negative = logsigmoid(-(n @ u[:, :, None]).squeeze(2))
    negative = negative.masked_fill(negatives == context[:, None], 0)
    return -(positive + negative.sum(1)).mean()


# What one asks of vectors


def most_similar(
    vectors: Float[Tensor, "vocab dim"],
    query: Float[Tensor, " dim"],
    k: int,
    exclude: Int[Tensor, " excluded"] | Sequence[int],
) -> Int[Tensor, " k"]:
    """The ids of the `k` rows whose cosine with `query` is highest, best first, without those in `exclude`."""
    scores = normalize(vectors, dim=1) @ query
    hidden = torch.as_tensor(exclude, dtype=torch.long, device=scores.device)
    return scores.index_fill(0, hidden, -torch.inf).topk(k).indices


def analogy(vectors: Float[Tensor, "vocab dim"], a: int, b: int, c: int, k: int) -> Int[Tensor, " k"]:
    """The `k` best answers to "a is to b as c is to …": nearest to b − a + c on unit vectors, none of the three."""
    unit = normalize(vectors, dim=1)
    return most_similar(unit, unit[b] - unit[a] + unit[c], k, torch.tensor([a, b, c], device=vectors.device))


def question_ids(questions: Sequence[Sequence[str]], index: dict[str, int], size: int) -> Int[Tensor, "questions 4"]:
    """The analogy questions whose four words are all among the first `size` of the vocabulary, as ids."""
    ids = [[index.get(word, size) for word in question] for question in questions]
    return torch.tensor([row for row in ids if max(row) < size], dtype=torch.long).reshape(-1, 4)


def answers(
    vectors: Float[Tensor, "vocab dim"], questions: Int[Tensor, "questions 4"], chunk: int = 512
) -> Int[Tensor, " questions"]:
    """Each question's first answer by `analogy`, many questions at a time."""
    unit = normalize(vectors, dim=1)
    best = []
    for a, b, c in (part[:, :3].unbind(1) for part in questions.split(chunk)):
        scores = (unit[b] - unit[a] + unit[c]) @ unit.T
        best.append(scores.scatter_(1, torch.stack([a, b, c], dim=1), -torch.inf).argmax(1))
    return torch.cat(best)


def accuracy(vectors: Float[Tensor, "vocab dim"], questions: Int[Tensor, "questions 4"]) -> float:
    """The share of questions, from 0 to 1, whose first answer is the expected fourth word."""
    return (answers(vectors, questions) == questions[:, 3].to(vectors.device)).float().mean().item()


# What vectors learned from us


def associations(
    words: Float[Tensor, "words dim"], a: Float[Tensor, "a dim"], b: Float[Tensor, "b dim"]
) -> Float[Tensor, " words"]:
    """Each word's mean cosine with the words of `a` less that with the words of `b` (C, "s(w, A, B)")."""
    words, a, b = (normalize(x, dim=1) for x in (words, a, b))
    return (words @ a.T).mean(1) - (words @ b.T).mean(1)


def weat(
    x: Float[Tensor, "x dim"], y: Float[Tensor, "y dim"], a: Float[Tensor, "a dim"], b: Float[Tensor, "b dim"]
) -> Float[Tensor, ""]:
    """The word embedding association test's effect size, in standard deviations (C, "effect size").

    Positive if the targets `x` lean to the attributes `a` and the targets `y` to `b`; below 2 for sets of one size.
    """
    lean_x, lean_y = associations(x, a, b), associations(y, a, b)
    return (lean_x.mean() - lean_y.mean()) / torch.cat([lean_x, lean_y]).std()


def weat_p_value(
    x: Float[Tensor, "x dim"],
    y: Float[Tensor, "y dim"],
    a: Float[Tensor, "a dim"],
    b: Float[Tensor, "b dim"],
    shuffles: int = 10_000,
    seed: int = 0,
) -> float:
    """How often a random re-division of the targets leans at least as far as the given one (C, permutation test)."""
    lean = torch.cat([associations(x, a, b), associations(y, a, b)]).cpu()
    order = torch.rand(shuffles, len(lean), generator=torch.Generator().manual_seed(seed)).argsort(1)
    observed, shuffled = lean[: len(x)].mean(), lean[order][:, : len(x)].mean(1)
    return ((shuffled >= observed - 1e-7).float().mean()).item()


# Training, a block at a time


class Blocks(NamedTuple):
    """A batch of blocks of consecutive words, each with its own shared negatives."""

    tokens: Int[Tensor, "blocks length"]
    sentence: Int[Tensor, "blocks length"]
    radius: Int[Tensor, "blocks length"]
    negatives: Int[Tensor, "blocks shared"]

    def window(self) -> Bool[Tensor, "blocks length length"]:
        """True where row word and column word are a pair: near enough, not the same place, in one sentence."""
        near = _distances(self.tokens.shape[1], self.tokens.device) <= self.radius[:, :, None]
        return near.logical_and_(self.sentence[:, :, None] == self.sentence[:, None, :])


@cache
def _distances(length: int, device: torch.device) -> Int[Tensor, "length length"]:
    """How far apart two places are; a place and itself as far as can be, so that they are never a pair."""
    position = torch.arange(length, dtype=torch.int32, device=device)
    distance = (position[:, None] - position[None, :]).abs()
    return distance.fill_diagonal_(torch.iinfo(torch.int32).max)


class Epochs:
    """A corpus as training data: called with an epoch's number it gives that epoch's batches, always the same ones.

    Each epoch is subsampled anew, each word draws its own window radius from 1 to `window`, and the blocks come in
    random order. Blocks run over the ends of sentences; `Blocks.window` pairs no words of different sentences.

    Args:
        tokens: the corpus as word ids.
        sentence: the number of the sentence that each token belongs to.
        counts: how often each word of the vocabulary occurs.
        window: the largest distance of a pair, in words left over by the subsampling.
        threshold: subsampling's t; frequent words above this share of the corpus are thinned out.
        length: words a block. batch: blocks a batch. shared: negatives a block.
        seed: of all draws.
        device: where the batches are made and used.
    """

    def __init__(
        self,
        tokens: Int[Tensor, " n"],
        sentence: Int[Tensor, " n"],
        counts: Int[Tensor, " vocab"],
        *,
        window: int = 5,
        threshold: float = 3e-4,
        length: int = 32,
        batch: int = 48,
        shared: int = 32,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        """Keep the corpus on `device` and prepare the noise distribution."""
        # Sentences and radii are only ever compared, which takes half as long in 32 bits.
        self.tokens, self.sentence = tokens.to(device), sentence.to(device, torch.int32)
        self.keep = keep_probability(counts.to(device), threshold)
        self.window, self.length, self.batch, self.shared = window, length, batch, shared
        self.seed, self.device = seed, torch.device(device)
        self.noise = self.noise_table(counts.cpu()).to(device)

    @staticmethod
    def noise_table(counts: Int[Tensor, " vocab"], size: int = 1_000_000) -> Int[Tensor, " size"]:
        """Word ids in proportion to count^¾ (M, §2.2): to draw a negative, draw a place in this table."""
        shares = counts.double() ** 0.75
        edges = (shares.cumsum(0) / shares.sum()).contiguous()
        places = (torch.arange(size, dtype=torch.float64) + 0.5) / size
        return torch.searchsorted(edges, places).clamp(max=len(counts) - 1)

    def __call__(self, epoch: int) -> list[Blocks]:
        """The batches of one epoch, the last one possibly smaller. Words that fill no block are left over."""
        generator = torch.Generator(self.device).manual_seed(1_000_003 * self.seed + epoch)
        on: dict[str, Any] = {"generator": generator, "device": self.device}

        kept = torch.rand(len(self.tokens), **on) < self.keep[self.tokens]
        tokens, sentence = self.tokens[kept], self.sentence[kept]
        start = int(torch.randint(self.length, (1,), **on))
        count = (len(tokens) - start) // self.length
        span = slice(start, start + count * self.length)

        shape = (count, self.length)
        epoch_blocks = Blocks(
            rearrange(tokens[span], "(blocks length) -> blocks length", length=self.length),
            rearrange(sentence[span], "(blocks length) -> blocks length", length=self.length),
            torch.randint(1, self.window + 1, shape, dtype=torch.int32, **on),
            self.noise[torch.randint(len(self.noise), (count, self.shared), **on)],
        )
        order = torch.randperm(count, **on)
        return [Blocks(*parts) for parts in zip(*(x[order].split(self.batch) for x in epoch_blocks), strict=True)]


class SkipGram:
    """Skip-gram with negative sampling: two tables of vectors, and the gradient written out (M, eq. 4).

    A step function for `squint.train.fit`: called with a batch of blocks it takes one step of plain SGD.

    Args:
        vocab: number of words.
        dim: dimension of the vectors.
        negatives: k of the loss. The negatives that a block shares stand in for every pair's own k.
        rate: learning rate.
        cap: a row met more often than this in one batch moves as if it had been met this often. All of a batch's
            updates start from the same vectors, so those of a frequent word add up to a leap in one direction;
            without the cap "the" runs off to infinity.
        seed: of the first vectors.
        device: where the tables live.
    """

    def __init__(
        self,
        vocab: int,
        dim: int = 100,
        *,
        negatives: int = 8,
        rate: float = 0.05,
        cap: float = 4,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        """Small random input vectors; output vectors at zero, as in the authors' program."""
        generator = torch.Generator().manual_seed(seed)
        self.input = ((torch.rand(vocab, dim, generator=generator) - 0.5) / dim).to(device)
        self.output = torch.zeros(vocab, dim, device=device)
        self.negatives, self.rate, self.cap = negatives, rate, cap

    @torch.no_grad()
    def __call__(self, batch: Blocks, scale: float = 1.0) -> Float[Tensor, ""]:
        """One step at `scale` times the learning rate. Returns the mean loss of a pair, on the batch's first blocks."""
        inside, owed = self.pairs(batch)
        targets = torch.cat([batch.tokens, batch.negatives], dim=1)
        centre, target = self.look_up(self.input, batch.tokens), self.look_up(self.output, targets)

        scores = centre @ target.mT
        loss = self.loss(scores[:2], inside[:2], owed[:2])
        residual = scores.sigmoid_()
        own, shared = residual.split([batch.tokens.shape[1], batch.negatives.shape[1]], dim=2)
        own.sub_(1).mul_(inside)
        shared.mul_(owed)

        self.descend(self.input, batch.tokens, residual @ target, self.rate * scale)
        self.descend(self.output, targets, residual.mT @ centre, self.rate * scale)
        return loss

    def pairs(self, batch: Blocks) -> tuple[Float[Tensor, "blocks length length"], Float[Tensor, "blocks length 1"]]:
        """How much each score counts: 1 for the pairs inside the windows, and what a centre owes each shared negative.

        A centre with m pairs owes m · k negatives, which the shared ones carry in equal parts.
        """
        inside = batch.window().to(self.input.dtype)
        return inside, inside.sum(2, keepdim=True) * (self.negatives / batch.negatives.shape[1])

    @staticmethod
    def look_up(table: Float[Tensor, "vocab dim"], ids: Int[Tensor, "blocks n"]) -> Float[Tensor, "blocks n dim"]:
        """Rows of a table; `index_select` is several times faster than `table[ids]` on a CPU."""
        rows = table.index_select(0, ids.reshape(-1))
        return rearrange(rows, "(blocks n) dim -> blocks n dim", n=ids.shape[1])

    @staticmethod
    def loss(
        scores: Float[Tensor, "blocks length targets"],
        inside: Float[Tensor, "blocks length length"],
        owed: Float[Tensor, "blocks length 1"],
    ) -> Float[Tensor, ""]:
        """−log σ(score) of the pairs and −log σ(−score) of the negatives, in nats for one pair with its negatives."""
        own, shared = scores.split([inside.shape[2], scores.shape[2] - inside.shape[2]], dim=2)
        total = (logsigmoid(own) * inside).sum() + (logsigmoid(-shared) * owed).sum()
        return -total / inside.sum().clamp(min=1)

    def descend(
        self,
        table: Float[Tensor, "vocab dim"],
        ids: Int[Tensor, "blocks n"],
        gradient: Float[Tensor, "blocks n dim"],
        rate: float,
    ) -> None:
        """SGD on the rows met, each row's sum of updates capped at `cap` occurrences."""
        ids = ids.reshape(-1)
        # As fast as `bincount`, which on a GPU waits for all work so far to look for the largest id.
        met = table.new_zeros(len(table)).index_add_(0, ids, table.new_ones(len(ids))).index_select(0, ids)
        step = (-rate * self.cap) / met.clamp(min=self.cap)
        table.index_add_(0, ids, rearrange(gradient, "blocks n dim -> (blocks n) dim").mul_(step[:, None]))

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint must hold."""
        return {"input": self.input, "output": self.output}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from `state`."""
        self.input.copy_(state["input"])
        self.output.copy_(state["output"])


# Counting instead of training

Watch = Callable[[Sequence[int], str], Iterable[int]]
"""Puts a progress bar around what a loop goes through, as `squint.notebook.track` does."""


def _unwatched(things: Sequence[int], what: str) -> Iterable[int]:
    return things


def cooccurrence(
    tokens: Int[Tensor, " n"], sentence: Int[Tensor, " n"], vocab: int, window: int = 5, watch: Watch = _unwatched
) -> Float[Tensor, "vocab vocab"]:
    """How often two words meet within `window` words of a sentence, as a sparse symmetric matrix.

    A pair at distance d counts (window + 1 − d) / window: how often a radius drawn from 1 to `window` covers it.
    """
    half = _sparse(tokens.new_zeros(2, 0), torch.zeros(0, device=tokens.device), vocab)
    for distance in watch(range(1, window + 1), "counting"):
        together = sentence[distance:] == sentence[:-distance]
        pairs = torch.stack([tokens[:-distance][together], tokens[distance:][together]])
        weights = torch.full((pairs.shape[1],), (window + 1 - distance) / window, device=tokens.device)
        half = (half + _sparse(pairs, weights, vocab)).coalesce()
    return (half + half.T).coalesce()


def _sparse(places: Int[Tensor, "2 entries"], values: Float[Tensor, " entries"], size: int) -> Tensor:
    # Asked for or declined, the invariants' check says nothing; left open, torch warns.
    return torch.sparse_coo_tensor(places, values, (size, size), check_invariants=False)


def ppmi(
    counts: Float[Tensor, "vocab vocab"], shift: float = 1.0, smoothing: float = 0.75
) -> Float[Tensor, "vocab vocab"]:
    """Positive pointwise mutual information of a sparse count matrix: max(0, log P(w, c) / P(w) P(c) − log shift).

    `shift` is the number of negatives k of the skip-gram that this matrix stands for (L, §3.1); context counts are
    raised to `smoothing` as in skip-gram's noise distribution.
    """
    counts = counts.coalesce()
    row, column = counts.indices()
    word = counts.sum(1).to_dense()
    context = word**smoothing
    expected = word[row] * (context[column] / context.sum())
    information = (counts.values() / expected).log() - torch.log(torch.tensor(shift))
    kept = information > 0
    return _sparse(counts.indices()[:, kept], information[kept], len(counts)).coalesce()


def truncated_svd(
    matrix: Float[Tensor, "n n"],
    dim: int,
    *,
    power: float = 0.5,
    rounds: int = 4,
    seed: int = 0,
    watch: Watch = _unwatched,
) -> Float[Tensor, "n dim"]:
    """The `dim` leading singular vectors of a sparse square matrix, each times its singular value to the `power`.

    By subspace iteration from a random start (Halko, Martinsson, Tropp 2011): multiply, orthonormalise, repeat.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        forward, backward = matrix.to_sparse_csr(), matrix.T.coalesce().to_sparse_csr()
    generator = torch.Generator().manual_seed(seed)
    basis = torch.randn(matrix.shape[1], dim + 16, generator=generator).to(matrix.device)
    for _ in watch(range(rounds), "squeezing"):
        basis = torch.linalg.qr(backward @ torch.linalg.qr(forward @ basis).Q).Q
    left, values, _ = torch.linalg.svd(forward @ basis, full_matrices=False)
    return left[:, :dim] * values[:dim] ** power
