"""What becomes of signals on their way through many untrained blocks (Xiong et al. 2020, §3; Dong et al. 2021)."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from squint.nn.transformer import glorot

Wiring = Callable[[Tensor, nn.Module, nn.Module], Tensor]
"""From x, a sublayer and its norm to what goes on: a residual, or something that takes its place."""


def through(block: Callable[[], nn.Module], wiring: Wiring, depth: int, norm: nn.Module) -> tuple[float, float, float]:
    """Send random words through `depth` untrained blocks, and a gradient back.

    Args:
        block: makes a block for vectors of width 64 that holds `attention`, `feed_forward` and two `norms`.
        wiring: how each sublayer and its norm are joined to the road.
        depth: how many blocks.
        norm: comes last, at the top.

    Returns:
        The size of the gradient at the first block's small network, at the last one's, and the mean cosine between two
        words of a sentence at the top.
    """
    blocks: list[Any] = [glorot(block()) for _ in range(depth)]
    x = torch.randn(4, 16, 64)
    for each in blocks:
        x = wiring(x, each.attention, each.norms[0])
        x = wiring(x, each.feed_forward, each.norms[1])
    top = norm(x)
    (top * torch.randn(x.shape)).sum().backward()
    first, last = (each.feed_forward.widen.weight.grad.norm().item() for each in (blocks[0], blocks[-1]))
    return first, last, likeness(top.detach())


def likeness(words: Float[Tensor, "batch tokens dim"]) -> float:
    """The mean cosine between two different words of a sentence."""
    words, tokens = F.normalize(words, dim=-1), words.shape[1]
    return (((words @ words.mT).sum(dim=(1, 2)) - tokens) / (tokens * (tokens - 1))).mean().item()


def measured(
    block: Callable[[], nn.Module], wiring: Wiring, depths: Sequence[int], norm: nn.Module, repeats: int
) -> tuple[Tensor, Tensor, Tensor]:
    """`through` for several depths: both gradients (geometric means) and the likeness, each [depths]."""
    runs = torch.tensor([[through(block, wiring, depth, norm) for depth in depths] for _ in range(repeats)])
    return runs[..., 0].log().mean(0).exp(), runs[..., 1].log().mean(0).exp(), runs[..., 2].mean(0)
