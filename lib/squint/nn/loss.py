"""Cross-entropy over a large vocabulary, in pieces: the table of all scores is never in memory.

2,048 tokens and 6,000 pieces of words make 49 MB of scores, and as much again for their logarithms and for each of
their gradients. Here a few hundred tokens at a time are scored, judged and derived, while they lie in the processor's
cache (Wijmans et al. 2024, "Cut Your Losses in Large-Vocabulary Language Models", §4, does so on a GPU).
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

PIECE = 1_500_000
"""Scores in a piece: 6 MB."""


class _InPieces(torch.autograd.Function):
    """The mean loss; its gradients are made on the way, since they need the same scores."""

    @staticmethod
    def forward(
        ctx: Any, states: Float[Tensor, "tokens dim"], table: Float[Tensor, "words dim"], labels: Int[Tensor, " tokens"]
    ) -> Float[Tensor, ""]:
        total = states.new_zeros(())
        by_state, by_table = torch.empty_like(states), torch.zeros_like(table)
        rows = max(1, PIECE // len(table))
        for some, wanted, slope in zip(states.split(rows), labels.split(rows), by_state.split(rows), strict=True):
            logs = (some @ table.T).log_softmax(dim=-1)
            total -= logs.gather(1, wanted[:, None]).sum()
            if any(ctx.needs_input_grad):
                # d(−log p) / d score = p − 1 for the wanted token, and p for all others.
                logs.exp_().scatter_add_(1, wanted[:, None], logs.new_full((len(logs), 1), -1.0))
                torch.mm(logs, table, out=slope)
                by_table.addmm_(logs.T, some)
        ctx.save_for_backward(by_state, by_table)
        return total / len(states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        by_state, by_table = ctx.saved_tensors
        share = outer[0] / len(by_state)
        return by_state * share, by_table * share, None


def cross_entropy(
    states: Float[Tensor, "*batch dim"], table: Float[Tensor, "words dim"], labels: Int[Tensor, "*batch"]
) -> Float[Tensor, ""]:
    """Mean −log p in nats of the labels, where the scores of the words are `states @ table.T`.

    It can be derived once, not twice. On a GPU the scores are made in one piece.
    """
    states, labels = states.flatten(end_dim=-2), labels.flatten()
    if states.device.type != "cpu":
        return F.cross_entropy(F.linear(states, table), labels)
    return _InPieces.apply(states, table, labels)
