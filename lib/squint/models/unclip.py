"""unCLIP, better known as DALL·E 2: from a caption to its picture by way of CLIP's space.

Ramesh et al. 2022, "Hierarchical Text-Conditional Image Generation with CLIP Latents".

A *prior* guesses the picture's embedding from the caption, a *decoder* draws a small picture with that embedding, and
two *upsamplers* enlarge it. All three are diffusion models.

Embeddings are handled here at the length √dim, so that their entries have variance one, like the noise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from einops import repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from squint.data import catalogue
from squint.models import clip as clips
from squint.models.clip import CLIP, PADDING
from squint.models.diffusion import (
    Denoiser,
    TimeEmbedding,
    add_noise,
    draw_noise,
    guided,
    sample_ddim,
    spread_times,
    velocity,
    velocity_towards,
)
from squint.nn.positions import LearnedPositions
from squint.nn.transformer import Encoder
from squint.nn.unet import UNet


def lengthened(embedding: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
    """Embeddings at length √dim."""
    return F.normalize(embedding, dim=-1) * math.sqrt(embedding.shape[-1])


def dropped(batch: int, share: float, device: torch.device) -> Bool[Tensor, " {batch}"]:
    """Which of a batch are to learn without their condition, for guidance's sake (Ho and Salimans 2022, §3.2)."""
    return torch.rand(batch, device=device) < share


# The decoder


@dataclass(frozen=True)
class DecoderConfig:
    """The shape of a `Decoder`.

    Attributes:
        size: the side of its pictures, in pixels.
        channels, blocks, heads, dropout: of the `UNet`.
        condition: the width of time and embedding together.
        embedding: the width of CLIP's vectors.
        drop: the share of pictures that training shows without their embedding.
    """

    size: int = 16
    channels: tuple[int, ...] = (48, 96, 160)
    blocks: int = 2
    heads: tuple[int, ...] = (0, 4, 4)
    dropout: float = 0.1
    condition: int = 192
    embedding: int = 128
    drop: float = 0.12


class Decoder(nn.Module):
    """Draws a picture that has a given CLIP embedding (Ramesh et al. 2022, §2.1)."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.config = config
        self.time = TimeEmbedding(config.condition)
        self.embedding = nn.Linear(config.embedding, config.condition)
        self.nothing = nn.Parameter(torch.zeros(config.embedding))
        self.unet = UNet(
            3, 3, config.channels, config.condition,
            blocks=config.blocks, heads=config.heads, dropout=config.dropout,
        )  # fmt: skip

    def forward(
        self,
        noisy: Float[Tensor, "batch 3 size size"],
        time: Float[Tensor, " batch"],
        embedding: Float[Tensor, "batch embedding"] | None,
    ) -> Float[Tensor, "batch 3 size size"]:
        """The velocity, given the embedding or nothing."""
        known = self.nothing.expand(len(noisy), -1) if embedding is None else embedding
        return self.unet(noisy, F.silu(self.time(time) + self.embedding(known))).float()

    def loss(
        self, pictures: Float[Tensor, "batch 3 size size"], embedding: Float[Tensor, "batch embedding"]
    ) -> Float[Tensor, ""]:
        """How far the predicted velocities are from the real ones, for pictures from −1 to 1."""
        time, noise = spread_times(len(pictures), pictures.device), torch.randn_like(pictures)
        without = dropped(len(pictures), self.config.drop, pictures.device)
        embedding = torch.where(without[:, None], self.nothing, embedding)
        predicted = self(add_noise(pictures, noise, time), time, embedding)
        return F.mse_loss(predicted, velocity(pictures, noise, time))

    def denoiser(self, embedding: Float[Tensor, "batch embedding"], guidance: float = 1.0) -> Denoiser:
        """The velocity as a function of noisy pictures and times, guided."""

        def with_guidance(noisy: Tensor, time: Tensor) -> Tensor:
            if guidance == 1:
                return self(noisy, time, embedding)
            both = torch.cat([embedding, self.nothing.expand_as(embedding)])
            twice = repeat(noisy, "b c h w -> (two b) c h w", two=2), repeat(time, "b -> (two b)", two=2)
            conditioned, unconditioned = self(*twice, both).chunk(2)
            return guided(conditioned, unconditioned, guidance)

        return with_guidance

    def sample(
        self,
        embedding: Float[Tensor, "batch embedding"],
        steps: int = 25,
        guidance: float = 1.5,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch 3 size size"]:
        """Pictures from −1 to 1 that have these embeddings, by DDIM."""
        size = self.config.size
        noise = draw_noise((len(embedding), 3, size, size), embedding.device, generator)
        return sample_ddim(self.denoiser(embedding, guidance), noise, steps)


# The upsamplers


@dataclass(frozen=True)
class UpsamplerConfig:
    """The shape of an `Upsampler`.

    Attributes:
        size: the side of what comes out; what goes in has half of it.
        channels, blocks, heads, dropout, patch: of the `UNet`.
        condition: the width of times and embedding together.
        embedding: the width of CLIP's vectors.
        drop: the share of pictures that training shows without their embedding.
        spoil: the most noise, as a time, that training adds to what goes in.
    """

    size: int = 32
    channels: tuple[int, ...] = (32, 64, 128)
    blocks: int = 1
    heads: tuple[int, ...] = (0, 0, 4)
    dropout: float = 0.05
    patch: int = 1
    condition: int = 128
    embedding: int = 128
    drop: float = 0.1
    spoil: float = 0.5


class Upsampler(nn.Module):
    """Draws a picture twice as large as a given one.

    What goes in is spoiled with noise, more or less of it, and the net is told how much: so it learns to distrust
    the details of what a decoder drew (Ho et al. 2022, "Cascaded Diffusion Models", §4.2).
    """

    def __init__(self, config: UpsamplerConfig):
        super().__init__()
        self.config = config
        self.time, self.spoilt = TimeEmbedding(config.condition), TimeEmbedding(config.condition)
        self.embedding = nn.Linear(config.embedding, config.condition)
        self.nothing = nn.Parameter(torch.zeros(config.embedding))
        self.unet = UNet(
            6, 3, config.channels, config.condition,
            blocks=config.blocks, heads=config.heads, dropout=config.dropout, patch=config.patch,
        )  # fmt: skip

    def forward(
        self,
        noisy: Float[Tensor, "batch 3 size size"],
        time: Float[Tensor, " batch"],
        small: Float[Tensor, "batch 3 half half"],
        spoilt: Float[Tensor, " batch"],
        embedding: Float[Tensor, "batch embedding"] | None,
    ) -> Float[Tensor, "batch 3 size size"]:
        """The velocity, given a small picture that was spoilt up to the time `spoilt`."""
        known = self.nothing.expand(len(noisy), -1) if embedding is None else embedding
        condition = F.silu(self.time(time) + self.spoilt(spoilt) + self.embedding(known))
        return self.unet(torch.cat([noisy, enlarged(small)], dim=1), condition).float()

    def loss(
        self, pictures: Float[Tensor, "batch 3 size size"], embedding: Float[Tensor, "batch embedding"]
    ) -> Float[Tensor, ""]:
        """How far the predicted velocities are from the real ones, for pictures from −1 to 1."""
        device, small = pictures.device, F.avg_pool2d(pictures, 2)
        time, noise = spread_times(len(pictures), device), torch.randn_like(pictures)
        spoilt = self.config.spoil * torch.rand(len(pictures), device=device)
        without = dropped(len(pictures), self.config.drop, device)
        embedding = torch.where(without[:, None], self.nothing, embedding)
        small = add_noise(small, torch.randn_like(small), spoilt)
        predicted = self(add_noise(pictures, noise, time), time, small, spoilt, embedding)
        return F.mse_loss(predicted, velocity(pictures, noise, time))

    def sample(
        self,
        small: Float[Tensor, "batch 3 half half"],
        embedding: Float[Tensor, "batch embedding"] | None,
        steps: int = 16,
        spoil: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch 3 size size"]:
        """Pictures from −1 to 1, twice as large as `small`, which gets the noise of the time `spoil` first."""
        batch, size, device = len(small), self.config.size, small.device
        spoilt = torch.full((batch,), spoil, device=device)
        spoiled = add_noise(small, draw_noise(small.shape, device, generator), spoilt)
        noise = draw_noise((batch, 3, size, size), device, generator)
        return sample_ddim(lambda noisy, time: self(noisy, time, spoiled, spoilt, embedding), noise, steps)


def enlarged(pictures: Float[Tensor, "batch 3 half half"]) -> Float[Tensor, "batch 3 size size"]:
    """Twice as large, by blending neighbours."""
    return F.interpolate(pictures, scale_factor=2.0, mode="bilinear")


# The prior


@dataclass(frozen=True)
class Caption:
    """What CLIP's text tower makes of captions: all that the prior is told.

    Attributes:
        states: a vector a word.
        mask: which are words, and not padding.
        embedding: of the whole, at length √dim.
    """

    states: Float[Tensor, "batch tokens words"]
    mask: Bool[Tensor, "batch tokens"]
    embedding: Float[Tensor, "batch embedding"]

    @classmethod
    @torch.no_grad()
    def of(cls, clip: CLIP, words: Int[Tensor, "batch tokens"]) -> "Caption":
        """Read captions."""
        states = clip.text.states(words)
        return cls(states, words != PADDING, lengthened(clip.text.whole(states, words).float()))

    @classmethod
    def read(cls, clip: CLIP, captions: Sequence[str]) -> "Caption":
        """Read captions that are still texts."""
        words = clip.vocabulary.encode(captions, clip.config.tokens)
        return cls.of(clip, words.to(clip.log_scale.device))

    def repeated(self, times: int) -> "Caption":
        """Each so many times in a row."""
        return Caption(*(part.repeat_interleave(times, dim=0) for part in (self.states, self.mask, self.embedding)))


@dataclass(frozen=True)
class PriorConfig:
    """The shape of a `Prior`.

    Attributes:
        dim, heads, hidden, blocks, dropout: of the Transformer.
        embedding, words, tokens: the widths of CLIP's vectors and of its word states, and its longest caption.
        drop: the share of captions that training hides.
    """

    dim: int = 256
    heads: int = 8
    hidden: int = 1024
    blocks: int = 4
    dropout: float = 0.1
    embedding: int = 128
    words: int = 128
    tokens: int = 16
    drop: float = 0.1


class Prior(nn.Module):
    """Guesses a picture's embedding from a caption (Ramesh et al. 2022, §2.2).

    A Transformer reads the words' states, the caption's embedding, the time, the noisy embedding, and a last token of
    its own, where it says the embedding without noise.
    """

    def __init__(self, config: PriorConfig):
        super().__init__()
        self.config, dim = config, config.dim
        self.words, self.text = nn.Linear(config.words, dim), nn.Linear(config.embedding, dim)
        self.noisy, self.time = nn.Linear(config.embedding, dim), TimeEmbedding(dim)
        self.query, self.nothing = (nn.Parameter(0.02 * torch.randn(dim)) for _ in range(2))
        self.positions = LearnedPositions(config.tokens + 4, dim)
        self.encoder = Encoder(config.blocks, dim, config.heads, config.hidden, dropout=config.dropout)
        self.write = nn.Linear(dim, config.embedding)

    def forward(
        self,
        noisy: Float[Tensor, "batch embedding"],
        time: Float[Tensor, " batch"],
        caption: Caption,
        hidden: Bool[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch embedding"]:
        """The embedding without noise; as if there were no caption where `hidden`."""
        text, seen = self.text(caption.embedding), caption.mask
        if hidden is not None:
            text, seen = torch.where(hidden[:, None], self.nothing, text), seen & ~hidden[:, None]
        rest = torch.stack([text, self.time(time), self.noisy(noisy), self.query.expand(len(noisy), -1)], dim=1)
        tokens = self.positions(torch.cat([self.words(caption.states), rest.to(text.dtype)], dim=1))
        mask = torch.cat([seen, seen.new_ones(len(noisy), 4)], dim=1)[:, None, :]
        return self.write(self.encoder.read_last(tokens, mask))

    def loss(self, embedding: Float[Tensor, "batch embedding"], caption: Caption) -> Float[Tensor, ""]:
        """Mean squared error of the guessed embeddings."""
        time, noise = spread_times(len(embedding), embedding.device), torch.randn_like(embedding)
        hidden = dropped(len(embedding), self.config.drop, embedding.device)
        return F.mse_loss(self(add_noise(embedding, noise, time), time, caption, hidden).float(), embedding)

    def sample(
        self,
        caption: Caption,
        steps: int = 16,
        guidance: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch embedding"]:
        """Embeddings of pictures that would have these captions, at length √dim."""
        noise = draw_noise(caption.embedding.shape, caption.embedding.device, generator)
        everything = torch.ones(len(noise), dtype=torch.bool, device=noise.device)

        def denoiser(noisy: Tensor, time: Tensor) -> Tensor:
            clean = self(noisy, time, caption).float()
            if guidance != 1:
                clean = guided(clean, self(noisy, time, caption, everything).float(), guidance)
            # The sampler asks for velocities, and never at the time 0, where this net could not tell one.
            return velocity_towards(clean, noisy, time)

        return lengthened(sample_ddim(denoiser, noise, steps, limit=None))


# All together


@dataclass
class UnCLIP:
    """From words to pictures: CLIP reads, the prior guesses an embedding, decoder and upsamplers draw it."""

    clip: CLIP
    prior: Prior
    decoder: Decoder
    upsamplers: Sequence[Upsampler]

    def to(self, device: torch.device | str) -> "UnCLIP":
        """All models moved to that device."""
        for model in (self.clip, self.prior, self.decoder, *self.upsamplers):
            model.to(device)
        return self

    @torch.no_grad()
    def embed(self, pictures: Float[Tensor, "batch 3 32 32"]) -> Float[Tensor, "batch embedding"]:
        """CLIP's embeddings of pictures from 0 to 1, at the length √dim that the decoder wants."""
        return lengthened(self.clip.embed_pictures(pictures))

    @torch.no_grad()
    def imagine(
        self, captions: Sequence[str], steps: int = 16, guidance: float = 1.0, generator: torch.Generator | None = None
    ) -> Float[Tensor, "batch embedding"]:
        """The prior's guesses of embeddings that pictures with these captions would have."""
        return self.prior.sample(Caption.read(self.clip, captions), steps, guidance, generator)

    @torch.no_grad()
    def draw(
        self,
        embedding: Float[Tensor, "batch embedding"],
        steps: int = 25,
        guidance: float = 1.5,
        upsampler_steps: int = 16,
        spoil: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> list[Float[Tensor, "batch 3 size size"]]:
        """Pictures from −1 to 1 at 16, 32 and 64 pixels, the decoder's and each upsampler's."""
        drawn = [self.decoder.sample(embedding, steps, guidance, generator)]
        for upsampler in self.upsamplers:
            drawn.append(upsampler.sample(drawn[-1], embedding, upsampler_steps, spoil, generator))
        return drawn


def unit(drawn: Float[Tensor, "*batch 3 h w"]) -> Float[Tensor, "*batch 3 h w"]:
    """From −1 … 1, as the networks see pictures, to 0 … 1, as they are shown."""
    return (drawn.float() / 2 + 0.5).clamp(0, 1)


# From files


PARTS: dict[str, tuple[type[Decoder] | type[Prior] | type[Upsampler], type]] = {
    "decoder": (Decoder, DecoderConfig),
    "prior": (Prior, PriorConfig),
    "up32": (Upsampler, UpsamplerConfig),
    "up64": (Upsampler, UpsamplerConfig),
}
"""What each part is called in the files, its class and its config's."""


def load_part(file: Path, part: str, prefix: str = "") -> Any:
    """One part of a file, ready for use; where a file has several, each part's tensors stand under a prefix.

    Raises:
        ValueError: if the file does not hold the part that its header tells of.
    """
    kind, config = PARTS[part]
    about, weights = clips.read_weights(file, prefix)
    model = kind(clips.config_of(config, about[part]))
    clips.fill(model, weights)
    return model


def pretrained() -> tuple[UnCLIP, dict[str, Any]]:
    """The unCLIP on emoji that the course ships, ready to draw, and the card of the picture models.

    Made by `data/recipes/pictures.py`, on the CLIP of `squint.models.clip.pretrained`, and like it without the style
    `emojitwo` and the concepts that `squint.data.emoji.split_concepts(0)` holds out.

    Raises:
        DataError: a file is missing or not what it was.
    """
    model, card = clips.pretrained()
    decoder, prior, upsamplers = (
        catalogue.path(f"pictures/{name}.safetensors") for name in ("decoder", "prior", "upsamplers")
    )
    enlarge = [load_part(upsamplers, part, f"{part}.") for part in ("up32", "up64")]
    return UnCLIP(model, load_part(prior, "prior"), load_part(decoder, "decoder"), enlarge), card
