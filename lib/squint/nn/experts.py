"""A mixture of experts: many small networks, of which each token passes through a few (Shazeer et al. 2017, §2).

So there are more weights to learn, and no more work a token. A router chooses: what it scores highest is asked, and the
answers are added up by its probabilities. Nothing makes it spread the tokens over the experts but a loss of its own.

Experts take tokens in batches of one size, so that all of them are one product (GShard, Lepikhin et al. 2020, §2.2):
the tokens are sorted by expert, not multiplied by a table of zeros and ones.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from squint.nn.transformer import FeedForward

Route = Callable[[Tensor, int], tuple[Tensor, Tensor, Tensor]]


def route(
    scores: Float[Tensor, "tokens experts"], top: int
) -> tuple[Float[Tensor, "tokens top"], Int[Tensor, "tokens top"], Float[Tensor, ""]]:
    """Which experts each token is sent to, the likeliest first, how much each counts, and how uneven that is.

    Returns:
        weights: the `top` largest probabilities of a token, made to sum to one (GShard, algorithm 1). With `top=1` all
            are one, and the router learns from the balance alone.
        chosen: whose they are.
        balance: experts · Σ share · mean probability, where an expert's share is that of all choices that fell on it
            (Switch, Fedus et al. 2021, eq. 4). 1 if probabilities are even, as many as there are experts if all goes to
            one. A choice has no gradient; the probabilities have.
    """
    probability = scores.softmax(dim=-1)
    weights, chosen = probability.topk(top, dim=-1)
    choices, mean = chosen.flatten(), probability.mean(dim=0)
    share = torch.zeros_like(mean).index_add(0, choices, mean.new_ones(choices.shape)) / len(choices)
    return weights / weights.sum(dim=-1, keepdim=True), chosen, scores.shape[1] * (share * mean).sum()


def assign(
    chosen: Int[Tensor, "tokens top"], experts: int, room: int
) -> tuple[Int[Tensor, "experts places"], Int[Tensor, "tokens top"], Bool[Tensor, "tokens top"]]:
    """A place at its experts for every token, `room` at each: first choices before second ones, earlier tokens first.

    Returns:
        token: who stands where; a place that nobody needs has somebody's number, and nobody asks for what it gives.
        place: the place of each choice, counted through all experts.
        kept: False where an expert had no place left, and `place` is somebody else's.
    """
    tokens, top = chosen.shape
    expert = rearrange(chosen, "tokens top -> (top tokens)")
    in_order, order = expert.sort(stable=True)
    first = torch.searchsorted(in_order, torch.arange(experts + 1, device=chosen.device))
    if chosen.device.type == "cpu":
        # No more places than the fullest expert needs. A GPU would have to wait for that number.
        room = min(room, int(first.diff().max()))
    number = torch.arange(tokens * top, device=chosen.device)
    rank = torch.empty_like(order).index_copy_(0, order, number - first[in_order])
    token = order[(first[:-1, None] + number[:room]).clamp(max=tokens * top - 1)] % tokens
    place = expert * room + rank.clamp(max=room - 1)
    by_token = "(top tokens) -> tokens top"
    return token, rearrange(place, by_token, top=top), rearrange(rank < room, by_token, top=top)


class MixtureOfExperts(nn.Module):
    """Instead of one `FeedForward`, `experts` of them, of which each token passes through `top`.

    Args:
        dim: the width of the vectors.
        hidden: the width inside each expert: `top` of them cost what a `FeedForward` of `top * hidden` does.
        experts: how many.
        top: how many a token is sent to.
        capacity: an expert takes at most ⌈capacity · tokens · top / experts⌉ tokens; what comes later is dropped: it
            adds nothing, and the residual carries the token on. Who is dropped depends on the whole batch, the tokens
            that follow included, so judge and write with `capacity` None: no limit. On a GPU, where the size of a batch
            must not depend on what is in it, each expert then has a place for every token: experts / top times the
            work, good for a few tokens at once and not for training.
        route: chooses from scores and `top`, as `route` does.

    Attributes:
        balance: of the last batch; add some of it, Switch's is 0.01, to what is minimised.
        dropped: the share of the last batch's choices that found no place.

    Raises:
        ValueError: if a token cannot be sent to so many experts, or the capacity is not above zero.
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        experts: int,
        *,
        top: int = 2,
        capacity: float | None = 1.25,
        route: Route = route,
    ):
        super().__init__()
        if not 1 <= top <= experts:
            raise ValueError(f"a token cannot be sent to {top} of {experts} experts.")
        if capacity is not None and capacity <= 0:
            raise ValueError(f"capacity must be above 0, or None for no limit, but it is {capacity}.")
        self.experts, self.top, self.capacity, self.route = experts, top, capacity, route
        self.router = nn.Linear(dim, experts, bias=False)
        self.widen, self.widen_bias = uniform(experts, dim, hidden), uniform(experts, dim, hidden, bias=True)
        self.narrow, self.narrow_bias = uniform(experts, hidden, dim), uniform(experts, hidden, dim, bias=True)
        self.balance, self.dropped = torch.ones(()), torch.zeros(())

    @classmethod
    @torch.no_grad()
    def of(cls, networks: Sequence[FeedForward], **options: Any) -> "MixtureOfExperts":
        """Experts that begin as copies of these networks, without their dropout; `options` are those of the class."""
        hidden, dim = networks[0].widen.weight.shape
        made = cls(dim, hidden, len(networks), **options).to(networks[0].widen.weight)
        for expert, network in enumerate(networks):
            for name in ("widen", "narrow"):
                linear = getattr(network, name)
                getattr(made, name)[expert] = linear.weight.T
                getattr(made, f"{name}_bias")[expert] = linear.bias
        return made

    def room(self, tokens: int) -> int:
        """How many of so many tokens an expert takes; none is sent to it twice."""
        limit = math.inf if self.capacity is None else self.capacity * tokens * self.top / self.experts
        return tokens if limit >= tokens else math.ceil(limit)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Each token's experts, each by its weight."""
        tokens = x.reshape(-1, x.shape[-1])
        weights, chosen, self.balance = self.route(self.router(tokens), self.top)
        token, place, kept = assign(chosen, self.experts, self.room(len(tokens)))
        self.dropped = 1 - kept.to(weights.dtype).mean()
        asked = tokens.index_select(0, token.flatten()).unflatten(0, token.shape)
        answers = self.ask(asked).flatten(end_dim=1)
        # Embeddings are summed, forward and backward, faster than rows are indexed and added.
        weights = (weights * kept).to(answers.dtype)
        return F.embedding_bag(place, answers, mode="sum", per_sample_weights=weights).reshape(x.shape)

    def ask(self, x: Float[Tensor, "experts places dim"]) -> Float[Tensor, "experts places dim"]:
        """Every expert on its own tokens: widen, bend, narrow."""
        hidden = torch.baddbmm(self.widen_bias, x, self.widen).relu_()
        return torch.baddbmm(self.narrow_bias, hidden, self.narrow)

    def __getstate__(self) -> dict[str, Any]:
        # What belongs to a backward pass cannot be copied.
        return self.__dict__ | {"balance": self.balance.detach(), "dropped": self.dropped.detach()}


def uniform(experts: int, wide: int, out: int, *, bias: bool = False) -> nn.Parameter:
    """Weights from `wide` to `out`, or their biases, as spread as those of an `nn.Linear`: up to 1 / √wide."""
    bound = 1 / math.sqrt(wide)
    return nn.Parameter(torch.empty(experts, 1 if bias else wide, out).uniform_(-bound, bound))
