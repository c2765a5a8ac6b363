"""Writing on: the next token is drawn, not searched for. Temperature, the k likeliest, the nucleus. Knows no model.

What it writes with is anything that has a `begin` for its caches and is called with new tokens and those (`Writes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Writes(Protocol):
    """What sampling needs of a model."""

    @property
    def longest(self) -> int:
        """How many tokens it sees at once."""
        ...

    def begin(self) -> Sequence[Any]:
        """Its caches before the first token."""
        ...

    def __call__(
        self, tokens: Int[Tensor, "batch new"], past: Sequence[Any], last: int | None
    ) -> Float[Tensor, "batch places vocabulary"]:
        """The scores of what follows the last tokens; the caches grow by the tokens."""
        ...


def next_token_probabilities(
    logits: Float[Tensor, "*batch vocabulary"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
) -> Float[Tensor, "*batch vocabulary"]:
    """From scores to what the next token is drawn from.

    Args:
        logits: of every token.
        temperature: scores are divided by it; below 1 the likely become likelier. At 0 all goes to the likeliest.
        top_k: only that many tokens are kept, the likeliest (Fan et al. 2018, §5.2); all if None.
        top_p: the likeliest tokens that together reach this share are kept, the nucleus (Holtzman et al. 2020, §3.1).

    Raises:
        ValueError: a temperature below 0, no token to keep, or a share outside of (0, 1].
    """
    if temperature < 0 or (top_k is not None and top_k < 1) or not 0 < top_p <= 1:
        raise ValueError("sampling takes temperature ≥ 0, top_k ≥ 1 and 0 < top_p ≤ 1, "
                         f"not {temperature}, {top_k} and {top_p}.")  # fmt: skip
    if temperature == 0:
        return torch.zeros_like(logits).scatter_(-1, logits.argmax(dim=-1, keepdim=True), 1.0)
    shares = (logits.float() / temperature).softmax(dim=-1)
    if top_k is None and top_p == 1:
        return shares
    ranked, order = shares.sort(dim=-1, descending=True)
    # A token stays if those above it do not reach top_p: the one that crosses it stays too.
    ranked[ranked.cumsum(dim=-1) - ranked >= top_p] = 0
    if top_k is not None:
        ranked[..., top_k:] = 0
    return torch.zeros_like(shares).scatter_(-1, order, ranked / ranked.sum(dim=-1, keepdim=True))


@torch.inference_mode()
def generate(
    model: Writes,
    tokens: Int[Tensor, "batch tokens"],
    new: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    end: int | None = None,
    generator: torch.Generator | None = None,
    watch: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> Int[Tensor, "batch all"]:
    """Continue each row by `new` tokens, remembering keys and values. Puts the model into no mode: call `eval` first.

    A text that grows beyond what the model sees goes on from its second half, which is read once more.

    Args:
        model: what writes.
        tokens: the beginnings, all of one length; at least one token each.
        new: how many tokens are written at most.
        temperature, top_k, top_p: see `next_token_probabilities`; temperature 0 is greedy.
        end: a row that wrote this token goes on with it, and all stop once every row has.
        generator: of the draws, on the tokens' device.
        watch: shows how far it is, such as a progress bar.
    """
    past, unread = model.begin(), tokens[:, -model.longest :]
    over = torch.zeros(len(tokens), 1, dtype=torch.bool, device=tokens.device)
    for _ in watch(range(new)):
        if seen(past) + unread.shape[1] > model.longest:
            past, unread = model.begin(), tokens[:, -(model.longest // 2) :]
        logits = model(unread, past, 1)[:, -1]
        if temperature == 0:
            unread = logits.argmax(dim=-1, keepdim=True)
        else:
            shares = next_token_probabilities(logits, temperature, top_k, top_p)
            unread = torch.multinomial(shares, 1, generator=generator)
        if end is not None:
            unread = unread.masked_fill(over, end)
            over |= unread == end
        tokens = torch.cat([tokens, unread], dim=1)
        if end is not None and bool(over.all()):
            break
    return tokens


def seen(past: Sequence[Any]) -> int:
    """How many tokens the caches hold."""
    return past[0].nodes if past else 0
