"""Diffusion: add noise until nothing is left, learn to take it away again (Ho et al. 2020, "DDPM").

Time runs from 0, the picture, to 1, pure noise. In between, `signal · picture + noise level · noise`, where the squares
of both add up to one: a quarter turn from one to the other (the cosine schedule of Nichol and Dhariwal 2021, §3.2,
without its offset). The networks predict the *velocity* of that turn (Salimans and Ho 2022, §4), which is defined at
both ends.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

Denoiser: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From noisy things and their times, `batch`, to their velocities."""


# The way there


def signal_and_noise(
    time: Float[Tensor, " batch"], like: Float[Tensor, "batch *shape"]
) -> tuple[Float[Tensor, "batch ..."], Float[Tensor, "batch ..."]]:
    """How much of the thing is left at each time, and how much noise there is; shaped to be multiplied by `like`."""
    angle = rearrange(time, "batch -> batch" + " 1" * (like.ndim - 1)) * (math.pi / 2)
    return angle.cos(), angle.sin()


def add_noise(
    clean: Float[Tensor, "batch *shape"], noise: Float[Tensor, "batch *shape"], time: Float[Tensor, " batch"]
) -> Float[Tensor, "batch *shape"]:
    """The thing at a later time (Ho et al. 2020, eq. 4)."""
    signal, level = signal_and_noise(time, clean)
    return signal * clean + level * noise


def velocity(
    clean: Float[Tensor, "batch *shape"], noise: Float[Tensor, "batch *shape"], time: Float[Tensor, " batch"]
) -> Float[Tensor, "batch *shape"]:
    """Where `add_noise` moves to at that time, in units of the quarter turn's angle (Salimans and Ho 2022, §4)."""
    signal, level = signal_and_noise(time, clean)
    return signal * noise - level * clean


def spread_times(batch: int, device: torch.device | str | None = None) -> Float[Tensor, " {batch}"]:
    """Random times, one in each of `batch` equal parts of 0 … 1: less chance in the loss (Kingma et al. 2021, §I.1)."""
    return (torch.randperm(batch, device=device) + torch.rand(batch, device=device)) / batch


def draw_noise(
    shape: Sequence[int], device: torch.device | str, generator: torch.Generator | None = None
) -> Float[Tensor, "..."]:
    """Standard normal numbers; drawn where the generator lives, so that a seed means the same on every device."""
    source = device if generator is None else generator.device
    return torch.randn(tuple(shape), generator=generator, device=source).to(device)


# The way back


def clean_and_noise(
    noisy: Float[Tensor, "batch *shape"], velocity: Float[Tensor, "batch *shape"], time: Float[Tensor, " batch"]
) -> tuple[Float[Tensor, "batch *shape"], Float[Tensor, "batch *shape"]]:
    """What the thing and the noise must be, if that is the velocity: the turn, turned back."""
    signal, level = signal_and_noise(time, noisy)
    return signal * noisy - level * velocity, level * noisy + signal * velocity


def velocity_towards(
    clean: Float[Tensor, "batch *shape"], noisy: Float[Tensor, "batch *shape"], time: Float[Tensor, " batch"]
) -> Float[Tensor, "batch *shape"]:
    """The velocity, if that is the clean thing; for times above 0, where there is some noise to tell it by."""
    signal, level = signal_and_noise(time, noisy)
    return (signal * noisy - clean) / level


def guided(
    conditioned: Float[Tensor, "*shape"], unconditioned: Float[Tensor, "*shape"], weight: float
) -> Float[Tensor, "*shape"]:
    """Away from what would be drawn without the condition, and beyond (Ho and Salimans 2022, eq. 6).

    A weight of 1 changes nothing, and 0 leaves the condition out.
    """
    return unconditioned + weight * (conditioned - unconditioned)


def guess(
    denoiser: Denoiser, noisy: Float[Tensor, "batch *shape"], time: Float[Tensor, " batch"], limit: float | None
) -> Float[Tensor, "batch *shape"]:
    """The clean thing as the network sees it; `limit` is the largest value that the thing can have."""
    clean, _ = clean_and_noise(noisy, denoiser(noisy, time), time)
    return clean if limit is None else clean.clamp(-limit, limit)


def steps_back(steps: int) -> list[tuple[float, float]]:
    """From 1 to 0 in equal steps: where each begins and where it ends."""
    return list(pairwise(torch.linspace(1, 0, steps + 1).tolist()))


@torch.no_grad()
def sample_ddim(
    denoiser: Denoiser, noise: Float[Tensor, "batch *shape"], steps: int, limit: float | None = 1.0
) -> Float[Tensor, "batch *shape"]:
    """From noise to a thing in few steps, without further chance (Song et al. 2021, "DDIM", eq. 12 with σ = 0).

    Each step believes the network's guess of the thing and of the noise, and puts both together again for an earlier
    time. `limit` is the largest value that the thing can have; None for no limit.
    """
    x = noise
    for now, then in steps_back(steps):
        time = torch.full((len(x),), now, device=x.device)
        clean = guess(denoiser, x, time, limit)
        signal, level = signal_and_noise(time, x)
        # The noise that fits the clamped guess. At time 1 the noisy thing is the noise.
        x = add_noise(clean, (x - signal * clean) / level, torch.full_like(time, then))
    return x


@torch.no_grad()
def sample_ddpm(
    denoiser: Denoiser,
    noise: Float[Tensor, "batch *shape"],
    steps: int,
    limit: float | None = 1.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch *shape"]:
    """From noise to a thing by the chain's own steps, each of which adds a little noise again (Ho et al. 2020, alg. 2).

    Every step draws from q(x_then | x_now, clean), with the guess in the clean thing's place; the last adds no noise.
    """
    x = noise
    for now, then in steps_back(steps):
        clean = guess(denoiser, x, torch.full((len(x),), now, device=x.device), limit)
        x, spread = posterior(clean, x, now, then)
        if then > 0:
            x = x + spread * draw_noise(x.shape, x.device, generator)
    return x


def posterior(
    clean: Float[Tensor, "batch *shape"], noisy: Float[Tensor, "batch *shape"], now: float, then: float
) -> tuple[Float[Tensor, "batch *shape"], float]:
    """Where the thing was at an earlier time, if both ends are known: mean and standard deviation.

    Ho et al. 2020, eq. 6 and 7. At the time 0 it was the clean thing, with no doubt about it.
    """
    kept_now, kept_then = math.cos(now * math.pi / 2) ** 2, math.cos(then * math.pi / 2) ** 2
    alpha = kept_now / kept_then
    from_clean = math.sqrt(kept_then) * (1 - alpha) / (1 - kept_now)
    from_noisy = math.sqrt(alpha) * (1 - kept_then) / (1 - kept_now)
    variance = (1 - alpha) * (1 - kept_then) / (1 - kept_now)
    return from_clean * clean + from_noisy * noisy, math.sqrt(variance)


# What the networks are told


class TimeEmbedding(nn.Module):
    """Times as vectors: waves of many lengths, then a small network (Ho et al. 2020, appendix B)."""

    def __init__(self, dim: int, waves: int = 64):
        super().__init__()
        self.frequencies: Tensor
        self.register_buffer("frequencies", torch.logspace(0, 3, waves // 2) * math.pi / 2, persistent=False)
        self.network = nn.Sequential(nn.Linear(waves, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, time: Float[Tensor, " batch"]) -> Float[Tensor, "batch dim"]:
        """A vector a time."""
        angle = time[:, None] * self.frequencies
        return self.network(torch.cat([angle.sin(), angle.cos()], dim=-1))
