"""The U-Net of diffusion models: down to a coarse view, up again, with a short cut on every level.

Ronneberger et al. 2015, "U-Net"; with residual blocks, attention and a condition that scales and shifts, as in Dhariwal
and Nichol 2021, "Diffusion Models Beat GANs on Image Synthesis", §3. The condition is a vector, whatever it was made
from: a time, a picture's embedding, or both.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from squint.nn.attention import MultiHeadAttention
from squint.nn.transformer import Dropout

GROUPS = 8
"""Of channels that are normalised together; every width must be a multiple of it."""


class ConditionedBlock(nn.Module):
    """Two convolutions and a way around them; between them the condition scales and shifts each channel."""

    def __init__(self, inputs: int, outputs: int, condition: int, dropout: float = 0.0):
        super().__init__()
        self.first_norm, self.second_norm = nn.GroupNorm(GROUPS, inputs), nn.GroupNorm(GROUPS, outputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.scale_and_shift = nn.Linear(condition, 2 * outputs)
        self.dropout = Dropout(dropout)
        self.around = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(
        self, x: Float[Tensor, "batch inputs h w"], condition: Float[Tensor, "batch condition"]
    ) -> Float[Tensor, "batch outputs h w"]:
        """Change `x` in a way that depends on the condition (adaptive group normalisation, §3.1 of the paper)."""
        change = self.first(F.silu(self.first_norm(x)))
        scale, shift = rearrange(self.scale_and_shift(condition), "b (two c) -> two b c 1 1", two=2)
        change = F.silu(self.second_norm(change) * (1 + scale) + shift)
        return self.around(x) + self.second(self.dropout(change))


class PictureAttention(nn.Module):
    """Every place of the picture looks at every other."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.attention = MultiHeadAttention(channels, heads)
        zeroed(self.attention.to_output)

    def forward(self, x: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
        """Add what each place saw."""
        places = rearrange(self.norm(x), "b c h w -> b (h w) c")
        return x + rearrange(self.attention(places), "b (h w) c -> b c h w", h=x.shape[-2])


def zeroed(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """The same layer, silent at first: so every block begins as the way around alone."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Level(nn.Module):
    """The blocks of one resolution, and attention after them if asked for."""

    def __init__(self, inputs: int, outputs: int, condition: int, *, blocks: int, heads: int = 0, dropout: float = 0.0):
        super().__init__()
        widths = [inputs] + [outputs] * (blocks - 1)
        self.blocks = nn.ModuleList(ConditionedBlock(width, outputs, condition, dropout) for width in widths)
        self.attention = PictureAttention(outputs, heads) if heads else nn.Identity()

    def forward(
        self, x: Float[Tensor, "batch inputs h w"], condition: Float[Tensor, "batch condition"]
    ) -> Float[Tensor, "batch outputs h w"]:
        """Through the blocks, then look around."""
        for block in self.blocks:
            x = block(x, condition)
        return self.attention(x)


class UNet(nn.Module):
    """From a picture and a condition to another picture of the same size.

    Args:
        inputs, outputs: colours of the pictures in and out.
        channels: of each level, the finest first; each level has half the side of the one before.
        condition: the width of the condition.
        blocks: on each level, down and up.
        heads: of the attention on each level; 0 for none.
        dropout: in the blocks.
        patch: the net works on squares of so many pixels as if each were one pixel with more colours. Large pictures
            become affordable that way.

    Raises:
        ValueError: if a width is no multiple of `GROUPS`, or if there are not as many heads as levels.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        channels: Sequence[int],
        condition: int,
        *,
        blocks: int = 2,
        heads: Sequence[int] = (0, 4, 4),
        dropout: float = 0.0,
        patch: int = 1,
    ):
        super().__init__()
        if len(heads) != len(channels):
            raise ValueError(
                f"heads must name a number a level, but there are {len(heads)} for {len(channels)} levels."
            )
        self.patch = patch
        self.read = nn.Conv2d(inputs * patch**2, channels[0], 3, padding=1)

        def level(before: int, here: int, blocks: int, heads: int) -> Level:
            return Level(before, here, condition, blocks=blocks, heads=heads, dropout=dropout)

        finer, coarser = [channels[0], *channels[:-1]], [*channels[1:], channels[-1]]
        self.down = nn.ModuleList(map(level, finer, channels, [blocks] * len(channels), heads))
        self.middle = level(channels[-1], channels[-1], 1, heads[-1])
        both = [below + here for below, here in zip(coarser, channels, strict=True)]
        self.up = nn.ModuleList(map(level, both, channels, [blocks] * len(channels), heads))
        self.norm = nn.GroupNorm(GROUPS, channels[0])
        self.write = zeroed(nn.Conv2d(channels[0], outputs * patch**2, 3, padding=1))
        # In memory a place's channels lie side by side, which is faster on a CPU.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def multiple(self) -> int:
        """What the sides of the pictures must be a multiple of."""
        return self.patch * 2 ** (len(self.down) - 1)

    def forward(
        self, pictures: Float[Tensor, "batch inputs h w"], condition: Float[Tensor, "batch condition"]
    ) -> Float[Tensor, "batch outputs h w"]:
        """Down, through the middle, and up.

        Raises:
            ValueError: if the sides cannot be halved so often.
        """
        if pictures.shape[-1] % self.multiple or pictures.shape[-2] % self.multiple:
            raise ValueError(f"the sides must be multiples of {self.multiple}, but are {tuple(pictures.shape[-2:])}.")
        x = self.read(F.pixel_unshuffle(pictures, self.patch))
        kept: list[Tensor] = []
        for level in self.down:
            x = level(x, condition)
            kept.append(x)
            x = F.avg_pool2d(x, 2) if len(kept) < len(self.down) else x
        x = self.middle(x, condition)
        for level in reversed(self.up):
            x = level(torch.cat([x, kept.pop()], dim=1), condition)
            x = F.interpolate(x, scale_factor=2.0) if kept else x
        return F.pixel_shuffle(self.write(F.silu(self.norm(x))), self.patch)
