"""A mixture of experts (Shazeer et al. 2017): many small networks, of which each token passes through two.

Parameters grow with the number of experts, work a token does not. Tokens are sent in one go: each expert has so many
places, its capacity, and what finds no place passes by (Lepikhin et al. 2021, “GShard”, §2.2).
"""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn


def route(
    scores: Float[Tensor, "tokens experts"], chosen: int = 2
) -> tuple[Float[Tensor, "tokens chosen"], Int[Tensor, "tokens chosen"], Float[Tensor, ""]]:
    """Each token's best experts, their shares, which sum to 1, and the loss that keeps experts equally busy.

    That loss is the number of experts, times the sum over experts of (share of tokens that put it first) · (mean
    probability that it gets), and 1 when all are equally busy (Lepikhin et al. 2021, §2.2; Fedus et al. 2022, eq. 4).
    """
    probability = scores.softmax(dim=-1)
    share, expert = probability.topk(chosen, dim=-1)
    first = F.one_hot(expert[:, 0], scores.shape[1]).to(scores.dtype).mean(dim=0)
    balance = scores.shape[1] * (first * probability.mean(dim=0)).sum()
    return share / share.sum(dim=-1, keepdim=True), expert, balance


def places(expert: Int[Tensor, "tokens chosen"], experts: int, capacity: int) -> Int[Tensor, "tokens chosen"]:
    """Where each token's copies stand among all experts' places, `experts · capacity` for those that found none.

    First choices come before second ones, earlier tokens before later ones (Lepikhin et al. 2021, algorithm 1).
    """
    queue, order = expert.T.flatten().sort(stable=True)
    starts = torch.searchsorted(queue, torch.arange(experts, device=expert.device))
    before = torch.arange(len(queue), device=expert.device) - starts[queue]
    place = torch.where(before < capacity, queue * capacity + before, experts * capacity)
    return torch.empty_like(place).scatter_(0, order, place).view(expert.T.shape).T


class MixtureOfExperts(nn.Module):
    """In a `FeedForward`'s place: `experts` networks of one hidden layer, without biases, and a gate.

    Args:
        dim: the width of the vectors.
        hidden: of each expert.
        experts: how many there are.
        chosen: how many of them a token passes through.
        capacity: places of an expert, in multiples of what it would need if all were equally busy.

    Attributes:
        balance: the loss of the last call that keeps experts equally busy, to be added to the model's; see `route`.
        dropped: the share of the tokens' copies that found no place in the last call.
    """

    balance: Float[Tensor, ""]
    dropped: Float[Tensor, ""]

    def __init__(self, dim: int, hidden: int, experts: int, *, chosen: int = 2, capacity: float = 1.25):
        super().__init__()
        if not 0 < chosen <= experts:
            raise ValueError(f"a token cannot pass through {chosen} of {experts} experts.")
        self.experts, self.chosen, self.capacity = experts, chosen, capacity
        self.gate = nn.Linear(dim, experts, bias=False)
        self.widen = nn.Parameter(torch.randn(experts, dim, hidden) / math.sqrt(dim))
        self.narrow = nn.Parameter(torch.randn(experts, hidden, dim) / math.sqrt(hidden))

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Send, widen, cut off, narrow, collect."""
        rows = x.reshape(-1, x.shape[-1])
        share, expert, self.balance = route(self.gate(rows), self.chosen)
        capacity = math.ceil(self.capacity * expert.numel() / self.experts)
        place = places(expert, self.experts, capacity)
        nowhere = self.experts * capacity
        self.dropped = (place == nowhere).float().mean().detach()
        # Which row stands at each place; where none does, the first, of which nothing will be collected.
        row = torch.arange(len(rows), device=x.device).repeat(self.chosen)
        at = row.new_zeros(nowhere + 1).scatter_(0, place.T.flatten(), row)[:-1]
        sent = rearrange(rows.index_select(0, at), "(e c) d -> e c d", e=self.experts)
        done = torch.bmm(F.relu(torch.bmm(sent, self.widen)), self.narrow)
        share, place = share * (place < nowhere), place.clamp(max=nowhere - 1)
        # A weighted sum of rows that are looked up is what an embedding bag is.
        collected = F.embedding_bag(place, rearrange(done, "e c d -> (e c) d"), per_sample_weights=share, mode="sum")
        return collected.view(x.shape)
