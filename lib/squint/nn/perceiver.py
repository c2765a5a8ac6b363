"""The Perceiver resampler: from any number of patch features to a few visual tokens (Alayrac et al. 2022, §2.1, A.1.1).

A picture is cut into tiles, a tile into patches. A few learned latents look at all of them, and what they have gathered
is what the language model will see: so its cost does not grow with the picture.
"""

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from squint.nn.attention import MultiHeadAttention, scaled_dot_product
from squint.nn.transformer import FeedForward, LayerNorm

TILES = 4
WHOLE = TILES
"""The place of a tile that is a picture of its own; 0 to 3 are the corners of a scene."""


class Standardise(nn.Module):
    """Features moved to mean zero and variance one, each by itself over many pictures.

    What all pictures have in common can be far larger than what tells them apart. Measured once, not learned.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("spread", torch.ones(dim))

    @torch.no_grad()
    def measure(self, features: Float[Tensor, "pictures patches dim"]) -> None:
        """From these pictures; a feature that hardly ever changes is not blown up."""
        rows = features.flatten(0, 1).float()
        self.mean.copy_(rows.mean(dim=0))
        spread = rows.std(dim=0)
        self.spread.copy_(spread.maximum(0.1 * spread.mean()))

    def forward(self, features: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Less the mean, over the spread."""
        return (features - self.mean) / self.spread


class PerceiverBlock(nn.Module):
    """Latents look at the features and at one another, then think about it."""

    def __init__(self, dim: int, heads: int, hidden: int, part: int = 64):
        super().__init__()
        self.features_norm, self.latents_norm = LayerNorm(dim), LayerNorm(dim)
        self.attention = MultiHeadAttention(dim, heads, part=part, bias=False, attention=scaled_dot_product)
        self.feed_forward_norm = LayerNorm(dim)
        self.feed_forward = FeedForward(dim, hidden, bias=False, activation=F.gelu)

    def forward(
        self,
        latents: Float[Tensor, "pictures latents dim"],
        features: Float[Tensor, "pictures keys dim"],
        mask: Bool[Tensor, "pictures 1 keys"],
    ) -> Float[Tensor, "pictures latents dim"]:
        """Keys and values are features and latents side by side (Alayrac et al. 2022, A.1.1)."""
        seen = self.latents_norm(latents)
        context = torch.cat([self.features_norm(features), seen], dim=1)
        mask = F.pad(mask, (0, latents.shape[1]), value=True)
        latents = latents + self.attention(seen, context, mask)
        return latents + self.feed_forward(self.feed_forward_norm(latents))


class PerceiverResampler(nn.Module):
    """Visual tokens of pictures.

    Args:
        features_dim: the width of a patch's features.
        patches: in a tile.
        dim: the width of the visual tokens.
        latents: how many visual tokens a picture becomes.
        blocks, heads, hidden: of the Perceiver.
    """

    def __init__(
        self,
        features_dim: int,
        patches: int,
        dim: int = 256,
        latents: int = 8,
        blocks: int = 2,
        heads: int = 4,
        hidden: int = 512,
    ):
        super().__init__()
        self.standardise, self.project = Standardise(features_dim), nn.Linear(features_dim, dim)
        self.tile_place = nn.Parameter(0.02 * torch.randn(TILES + 1, dim))
        self.patch_place = nn.Parameter(0.02 * torch.randn(patches, dim))
        self.latents = nn.Parameter(0.02 * torch.randn(latents, dim))
        self.blocks = nn.ModuleList(PerceiverBlock(dim, heads, hidden) for _ in range(blocks))
        self.norm = LayerNorm(dim)

    def forward(
        self, features: Float[Tensor, "pictures tiles patches features"], there: Bool[Tensor, "pictures tiles"]
    ) -> Float[Tensor, "pictures latents dim"]:
        """From the patches of the tiles that are `there`."""
        x = self.project(self.standardise(features))
        x = x + self.patch_place + self.places(there)[:, :, None]
        x = rearrange(x, "pictures tiles patches dim -> pictures (tiles patches) dim")
        mask = repeat(there, "pictures tiles -> pictures 1 (tiles patches)", patches=features.shape[2])
        latents = repeat(self.latents, "latents dim -> pictures latents dim", pictures=len(features))
        for block in self.blocks:
            latents = block(latents, x, mask)
        return self.norm(latents)

    def places(self, there: Bool[Tensor, "pictures tiles"]) -> Float[Tensor, "pictures tiles dim"]:
        """Where each tile stands: in a corner of a scene, or alone."""
        alone = (there.sum(dim=1) == 1)[:, None, None]
        return torch.where(alone, self.tile_place[WHOLE], self.tile_place[: there.shape[1]])


class Pooled(nn.Module):
    """For comparison: the mean of all patches, projected, as the only visual token."""

    def __init__(self, features_dim: int, dim: int = 256):
        super().__init__()
        self.standardise, self.project = Standardise(features_dim), nn.Linear(features_dim, dim)
        self.norm = LayerNorm(dim)

    def forward(
        self, features: Float[Tensor, "pictures tiles patches features"], there: Bool[Tensor, "pictures tiles"]
    ) -> Float[Tensor, "pictures 1 dim"]:
        """From the tiles that are `there`."""
        weight = there.float() / there.sum(dim=1, keepdim=True).clamp(min=1)
        pooled = torch.einsum("n t f, n t -> n f", self.standardise(features).mean(dim=2), weight)
        return self.norm(self.project(pooled))[:, None]
