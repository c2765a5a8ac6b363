"""Positions: attention cannot tell the order of its inputs, so it is added to them (Vaswani et al. 2017, §3.5)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch import device as Device


def wavelengths(dim: int, base: float = 10_000.0, device: Device | str | None = None) -> Float[Tensor, "pairs"]:
    """Wavelength of each of the `dim / 2` waves in tokens: a geometric series from 2π towards 2π · `base`."""
    pair = torch.arange(0, dim, 2, device=device)
    return 2 * torch.pi * base ** (pair / dim)


def sinusoidal(
    tokens: int, dim: int, base: float = 10_000.0, device: Device | str | None = None
) -> Float[Tensor, "tokens dim"]:
    """Sines in the even columns, cosines in the odd ones, a wavelength a pair (Vaswani et al. 2017, §3.5).

    Raises:
        ValueError: if `dim` is odd.
    """
    if dim % 2:
        raise ValueError(f"dim must be even, a sine and a cosine a wavelength, but it is {dim}.")
    position = torch.arange(tokens, device=device)[:, None]
    angle = position * 2 * torch.pi / wavelengths(dim, base, device)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(start_dim=-2)


class SinusoidalPositions(nn.Module):
    """Adds `sinusoidal` positions to a sequence: nothing to learn, and any length up to `tokens`."""

    def __init__(self, tokens: int, dim: int):
        super().__init__()
        self.table: Tensor
        self.register_buffer("table", sinusoidal(tokens, dim), persistent=False)

    def forward(self, x: Float[Tensor, "*batch tokens dim"]) -> Float[Tensor, "*batch tokens dim"]:
        """The vectors, each with its position added."""
        return x + self.table[: x.shape[-2]]


class LearnedPositions(nn.Module):
    """Adds one learned vector a position, as BERT and GPT do, for sequences of at most `tokens`."""

    def __init__(self, tokens: int, dim: int):
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(tokens, dim))

    def forward(self, x: Float[Tensor, "*batch tokens dim"], first: int = 0) -> Float[Tensor, "*batch tokens dim"]:
        """The vectors, each with its position added; `first` is that of the first one."""
        return x + self.table[first : first + x.shape[-2]]


def rotary(
    tokens: int, part: int, base: float = 10_000.0, device: Device | str | None = None
) -> Float[Tensor, "2 tokens part"]:
    """Cosines and sines of every position's angles, for `rotate`; both halves of a vector share them."""
    angle = 2 * torch.pi * torch.arange(tokens, device=device)[:, None] / wavelengths(part, base, device)
    return torch.stack([angle.cos(), angle.sin()]).repeat(1, 1, 2)


def rotate(
    x: Float[Tensor, "*batch tokens part"], table: Float[Tensor, "2 tokens part"]
) -> Float[Tensor, "*batch tokens part"]:
    """Turn each pair (x_i, x_{i + part / 2}) by its position's angle (Su et al. 2021, eq. 34).

    Nothing is added: queries and keys are turned, and their products then depend on distances alone.
    """
    table = table.to(x.dtype)  # under autocast queries and keys are in half precision, and stay so
    first, second = x.chunk(2, dim=-1)
    return torch.addcmul(x * table[0], torch.cat([-second, first], dim=-1), table[1])
