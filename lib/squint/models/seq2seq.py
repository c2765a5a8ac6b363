"""A Transformer that turns one sequence into another, as in Vaswani et al. 2017, "Attention Is All You Need"."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from squint.data import catalogue
from squint.nn.attention import causal_mask
from squint.nn.positions import SinusoidalPositions
from squint.nn.transformer import Decoder, Dropout, Encoder, Past, glorot
from squint.text.bpe import BPE, pad
from squint.text.decode import Hypothesis, beam_search


@dataclass(frozen=True)
class Config:
    """The shape of a `Seq2Seq`.

    Attributes:
        vocabulary: how many tokens there are, in both languages together.
        dim: the width of the vectors.
        heads: attentions side by side, each of width `dim / heads`.
        hidden: the width inside the feed-forward networks.
        blocks: how many blocks the encoder has, and the decoder.
        dropout: the share of entries that training drops.
        norm_first: pre-norm, else the paper's post-norm.
        tokens: the longest sequence.
        padding, start, end: the numbers of the special tokens.
    """

    vocabulary: int
    dim: int = 256
    heads: int = 4
    hidden: int = 1024
    blocks: int = 6
    dropout: float = 0.1
    norm_first: bool = True
    tokens: int = 256
    padding: int = 0
    start: int = 1
    end: int = 2


# What is learned from: the target shifted, and the loss


def shift_right(labels: Int[Tensor, "*batch tokens"], start: int = 1) -> Int[Tensor, "*batch tokens"]:
    """What the decoder sees when it is to say `labels`: the start token, then all labels but the last.

    So each position sees the labels before its own, and never the one it is asked for.
    """
    return torch.cat([torch.full_like(labels[..., :1], start), labels[..., :-1]], dim=-1)


def label_smoothed_loss(
    logits: Float[Tensor, "*batch vocabulary"],
    labels: Int[Tensor, "*batch"],
    smoothing: float = 0.1,
    padding: int | None = None,
) -> Float[Tensor, ""]:
    """Mean cross-entropy, in nats a token, to targets that give every token `smoothing / vocabulary` of the certainty.

    (Szegedy et al. 2016, §7; Vaswani et al. 2017, §5.4.) The cross-entropy of a smoothed target is
    `logsumexp − (1 − smoothing) · logit of the label − smoothing · mean logit`, so the target need not be written out.

    Args:
        logits: what the model says.
        labels: what is right.
        smoothing: the share of the target that is spread evenly.
        padding: labels of this number count nothing; None if there are none.
    """
    right = logits.gather(-1, labels[..., None])[..., 0]
    loss = logits.logsumexp(dim=-1) - (1 - smoothing) * right - smoothing * logits.mean(dim=-1)
    if padding is None:
        return loss.mean()
    real = labels != padding
    return loss.where(real, 0).sum() / real.sum()


class _FusedLoss(torch.autograd.Function):
    """`label_smoothed_loss` that goes over the logits half as often: its gradient is softmax − smoothed target."""

    @staticmethod
    def forward(context: Any, logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        log_probabilities = logits.float().log_softmax(dim=-1)
        context.save_for_backward(log_probabilities, labels)
        context.smoothing, context.dtype = smoothing, logits.dtype
        right = log_probabilities.gather(-1, labels[:, None]).mean()
        return -(1 - smoothing) * right - smoothing * log_probabilities.mean()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        log_probabilities, labels = context.saved_tensors
        tokens, vocabulary = log_probabilities.shape
        gradient = log_probabilities.exp().sub_(context.smoothing / vocabulary)
        certain = gradient.new_full((tokens, 1), context.smoothing - 1)
        gradient.scatter_add_(1, labels[:, None], certain).mul_(gradients[0] / tokens)
        return gradient.to(context.dtype), None, None


def fused_label_smoothed_loss(
    logits: Float[Tensor, "tokens vocabulary"], labels: Int[Tensor, " tokens"], smoothing: float = 0.1
) -> Float[Tensor, ""]:
    """The same as `label_smoothed_loss` for labels without padding, in less time and memory."""
    return _FusedLoss.apply(logits, labels, smoothing)


def warm_up_rate(step: int, dim: int, warmup: int = 4_000) -> float:
    """The learning rate of step 1, 2, …: a straight climb, then a fall with 1/√step (Vaswani et al. 2017, eq. 3).

    Raises:
        ValueError: if `step` is below one.
    """
    if step < 1:
        raise ValueError(f"steps are counted from one here, but step is {step}.")
    return dim**-0.5 * min(step**-0.5, step * warmup**-1.5)


def inverse_square_root(warmup: int = 4_000) -> Callable[[int, int], float]:
    """`warm_up_rate` scaled to a peak of one: a schedule for `squint.train.fit`, whose steps begin at zero."""
    return lambda step, total: min((step + 1) / warmup, math.sqrt(warmup / (step + 1)))


# The model


@dataclass(frozen=True)
class State:
    """Where decoding stands.

    Attributes:
        past: what each decoder block remembers.
        own: which of the remembered tokens each hypothesis consists of.
        mask: which source tokens are real.
        position: how many tokens every hypothesis has.
    """

    past: list[Past]
    own: Bool[Tensor, "sentences beams nodes"]
    mask: Bool[Tensor, "sentences source"]
    position: int


class Seq2Seq(nn.Module):
    """Encoder, decoder, and one table of embeddings for the source, the target and the output (§3.4).

    It generates for `squint.text.decode` with `begin`, `step` and `reorder`.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        shape = (config.blocks, config.dim, config.heads, config.hidden)
        self.embedding = nn.Embedding(config.vocabulary, config.dim)
        self.positions = SinusoidalPositions(config.tokens, config.dim)
        self.dropout = Dropout(config.dropout)
        self.encoder = Encoder(*shape, dropout=config.dropout, norm_first=config.norm_first)
        self.decoder = Decoder(*shape, dropout=config.dropout, norm_first=config.norm_first)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Small random weights: embeddings of length one or so, so that logits begin near zero; Glorot elsewhere."""
        glorot(self)
        nn.init.normal_(self.embedding.weight, std=self.config.dim**-0.5)

    @property
    def parameter_count(self) -> int:
        """How many numbers are learned."""
        return sum(parameter.numel() for parameter in self.parameters())

    def embed(self, tokens: Int[Tensor, "batch tokens"]) -> Float[Tensor, "batch tokens dim"]:
        """Tokens as vectors of length √dim, with their positions added."""
        return self.dropout(self.positions(self.embedding(tokens) * math.sqrt(self.config.dim)))

    def logits(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch vocabulary"]:
        """How well each vector matches each token's embedding."""
        return F.linear(x, self.embedding.weight)

    def source_mask(self, source: Int[Tensor, "batch source"]) -> Bool[Tensor, "batch 1 source"] | None:
        """Which source tokens may be seen; None if all may, which is faster."""
        real = source != self.config.padding
        return None if bool(real.all()) else real[:, None, :]

    def encode(self, source: Int[Tensor, "batch source"]) -> Float[Tensor, "batch source dim"]:
        """The source's vectors, each in the light of the others."""
        return self.encoder(self.embed(source), self.source_mask(source))

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        target: Int[Tensor, "batch target"],
        keep: Bool[Tensor, "batch target"] | None = None,
    ) -> Float[Tensor, "batch target vocabulary"] | Float[Tensor, "kept vocabulary"]:
        """What should follow each token of the target, all at once (teacher forcing).

        Args:
            source: the text to translate, filled up with padding.
            target: the translation so far, beginning with the start token: `shift_right(labels)`.
            keep: the places whose logits are wanted. Logits are the largest tensor of all, so training leaves out
                those of the padding.

        Returns:
            The logits of every place, or those of the places to keep, in their order.
        """
        mask = self.source_mask(source)
        memory = self.encoder(self.embed(source), mask)
        # Padding stands at the end, where the causal mask hides it from every real token.
        x = self.decoder(self.embed(target), memory, causal_mask(target.shape[1], device=target.device), mask)
        return self.logits(x if keep is None else x[keep])

    def loss(
        self, source: Int[Tensor, "batch source"], labels: Int[Tensor, "batch target"], smoothing: float = 0.1
    ) -> Float[Tensor, ""]:
        """The label-smoothed loss of `labels`, which end with the end token and padding."""
        return translation_loss(self, source, labels, smoothing, self.config.start, self.config.padding)

    @torch.no_grad()
    def cross_attention(
        self, source: Int[Tensor, "batch source"], target: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "blocks batch heads target source"]:
        """Where each token of the target looks in the source, for every block and head."""
        mask = self.source_mask(source)
        memory = self.encoder(self.embed(source), mask)
        causal = causal_mask(target.shape[1], device=target.device)
        return torch.stack(self.decoder.cross_weights(self.embed(target), memory, causal, mask))

    # Decoding token by token

    def begin(self, source: Int[Tensor, "sentences source"]) -> State:
        """Encode the sources: everything there is to know before the first token, with one beam a sentence."""
        nothing = torch.zeros(len(source), 1, 0, dtype=torch.bool, device=source.device)
        return State(self.decoder.begin(self.encode(source)), nothing, source != self.config.padding, 0)

    def step(
        self, tokens: Int[Tensor, "sentences beams"], state: State
    ) -> tuple[Float[Tensor, "sentences beams vocabulary"], State]:
        """The log-probability of every token after `tokens`, the hypotheses' last ones."""
        x = self.embedding(tokens) * math.sqrt(self.config.dim) + self.positions.table[state.position]
        itself = torch.eye(tokens.shape[1], dtype=torch.bool, device=tokens.device).expand(len(tokens), -1, -1)
        past, own = [each.back_at(state.own.shape[2]) for each in state.past], torch.cat([state.own, itself], dim=2)
        x = self.decoder.step(self.dropout(x), past, own, state.mask)
        logits = self.logits(x)
        # These are the largest numbers of a search: where no gradient needs them, they are overwritten.
        in_place = logits if logits.device.type == "cpu" and not torch.is_grad_enabled() else None
        return torch.log_softmax(logits, dim=-1, out=in_place), State(past, own, state.mask, state.position + 1)

    def reorder(self, state: State, sentences: Int[Tensor, " kept"] | None, beams: Int[Tensor, "kept new"]) -> State:
        """Only these sentences (all if None), and of each of them these of its hypotheses."""
        if sentences is not None:
            past = [each.of(sentences) for each in state.past]
            state = replace(state, past=past, own=state.own[sentences], mask=state.mask[sentences])
        return replace(state, own=state.own.gather(1, beams[:, :, None].expand(-1, -1, state.own.shape[2])))


def translation_loss(
    model: nn.Module,
    source: Int[Tensor, "batch source"],
    labels: Int[Tensor, "batch target"],
    smoothing: float = 0.1,
    start: int = 1,
    padding: int = 0,
) -> Float[Tensor, ""]:
    """The label-smoothed loss of any model that is called as `model(source, target, keep)`, such as `Seq2Seq`."""
    real = labels != padding
    return fused_label_smoothed_loss(model(source, shift_right(labels, start), real), labels[real], smoothing)


@torch.no_grad()
def marked(
    model: nn.Module,
    source: Int[Tensor, "batch source"],
    labels: Int[Tensor, "batch target"],
    start: int = 1,
    padding: int = 0,
) -> tuple[float, float]:
    """How much a model says rightly, given the right tokens before: the share of tokens, of whole texts, in percent.

    Wherever source and labels are, they are moved to the model.
    """
    device = next(model.parameters()).device
    said = model(source.to(device), shift_right(labels, start).to(device)).argmax(dim=-1).to(labels.device)
    right, real = said == labels, labels != padding
    return 100 * right[real].float().mean().item(), 100 * (right | ~real).all(dim=1).float().mean().item()


# Translating


def continuations(model: Seq2Seq, source: Int[Tensor, "sentences source"]) -> Callable[[Tensor], Tensor]:
    """What a plain search asks: from prefixes [sentences, …, tokens] to log-probabilities [sentences, …, vocabulary].

    It remembers the encoder's memory and nothing else: each call runs the whole prefixes through the decoder.
    Prefixes may be on any device; the answer is on theirs.
    """
    with torch.no_grad():
        memory, mask = model.encode(source), model.source_mask(source)

    @torch.no_grad()
    def ask(prefixes: Tensor) -> Tensor:
        rows = prefixes.reshape(-1, prefixes.shape[-1]).to(source.device)
        beams = len(rows) // len(source)
        seen = None if mask is None else mask.repeat_interleave(beams, 0)
        causal = causal_mask(rows.shape[1], device=rows.device)
        x = model.decoder(model.embed(rows), memory.repeat_interleave(beams, 0), causal, seen)[:, -1]
        return model.logits(x).log_softmax(dim=-1).view(*prefixes.shape[:-1], -1).to(prefixes.device)

    return ask


@torch.inference_mode()
def translate(
    model: nn.Module,
    pieces: BPE,
    texts: Sequence[str],
    *,
    width: int = 4,
    alpha: float = 1.0,
    keep: int = 1,
    batch: int = 64,
    watch: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> list[list[Hypothesis]]:
    """The best translations of each text by beam search; `width` = 1 is greedy search.

    Texts of like length are decoded together, `batch` at a time. An answer has at most ten pieces more than twice the
    source's. `pieces.decode` makes texts of the hypotheses' tokens.

    Args:
        model: a `Seq2Seq`, or a model with the same methods.
        pieces: the vocabulary that it was trained with.
        texts: what to translate.
        width, alpha, keep: see `squint.text.decode.beam_search`.
        batch: how many texts are decoded at once.
        watch: shows how far it is, such as a progress bar over the batches.
    """
    model.eval()
    device = next(model.parameters()).device
    encoded = pieces.encode(texts, end=True)
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
    found: list[list[Hypothesis]] = [[] for _ in texts]
    for first in watch(range(0, len(order), batch)):
        rows = order[first : first + batch]
        source = pad([encoded[row] for row in rows]).to(device)
        longest = getattr(model.config, "tokens", 256)
        limit = torch.tensor([min(2 * len(encoded[row]) + 10, longest) for row in rows], device=device)
        answers = beam_search(model, model.begin(source), limit=limit, width=width, alpha=alpha, keep=keep)  # type: ignore
        for row, several in zip(rows, answers, strict=True):
            found[row] = several
    return found


def pretrained() -> tuple[Seq2Seq, BPE, dict[str, Any]]:
    """The English–German model that the course ships, ready to translate; its vocabulary; its card.

    Made by `data/recipes/translator.py`. The card says from what, for how long, on which machine, and how good it is.

    Raises:
        DataError: a file is missing or not what it was.
    """
    from safetensors.torch import load_file

    card = json.loads(catalogue.path("translator/card.json").read_text("utf-8"))
    model = Seq2Seq(Config(**card["config"]))
    weights = load_file(catalogue.path("translator/weights.safetensors"))
    model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return model.eval(), BPE.load(catalogue.path("translator/tokenizer.json")), card
