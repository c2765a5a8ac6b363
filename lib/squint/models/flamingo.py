"""Flamingo: a frozen language model that sees, through gated cross-attention (Alayrac et al. 2022).

Between the language model's blocks stand new ones that look at the pictures. Each is closed at first, by a gate of
tanh(0): the model begins as exactly the language model it was, and opens its eyes as far as that helps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn

from squint.data import catalogue
from squint.models import clip
from squint.models.llama import Llama, smollm2
from squint.nn.attention import MultiHeadAttention, scaled_dot_product
from squint.nn.cache import Cache
from squint.nn.perceiver import PerceiverResampler, Pooled
from squint.nn.transformer import FeedForward, LayerNorm

Tower: TypeAlias = clip.ConvolutionTower | clip.VisionTransformer
"""Its eye."""


@dataclass(frozen=True)
class Config:
    """The shape of what is added to the language model.

    Attributes:
        picture: the token that stands where a picture is shown.
        features: the width of a patch's features.
        patches: in a tile.
        every: a gated block stands before every so many-th block of the language model.
        visual_dim: the width of a visual token.
        latents: visual tokens a picture.
        resampler_blocks, resampler_heads, resampler_hidden: of the Perceiver.
        heads, part: of the gated cross-attention.
        hidden: of the gated feed-forward network.
        resample: with the Perceiver, else one visual token, linear in the mean of all patches.
        gated: with gates, else they are open from the start.
    """

    picture: int
    features: int = 224
    patches: int = 16
    every: int = 5
    visual_dim: int = 256
    latents: int = 8
    resampler_blocks: int = 2
    resampler_heads: int = 4
    resampler_hidden: int = 512
    heads: int = 6
    part: int = 64
    hidden: int = 320
    resample: bool = True
    gated: bool = True


class TanhGate(nn.Module):
    """Lets tanh(gate) of a change through; at first nothing (Alayrac et al. 2022, §2.2)."""

    def __init__(self, gated: bool = True):
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(())) if gated else None

    @property
    def opening(self) -> Float[Tensor, ""]:
        """How far it is open."""
        return torch.tensor(1.0) if self.gate is None else self.gate.tanh()

    def forward(self, x: Float[Tensor, "*shape"], change: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The input, and as much of the change as the gate lets through."""
        return x + change if self.gate is None else x + self.opening * change


class GatedCrossAttentionBlock(nn.Module):
    """Text looks at pictures, then thinks about it; each behind its gate (Alayrac et al. 2022, fig. 4)."""

    def __init__(self, dim: int, config: Config):
        super().__init__()
        self.attention_norm, self.feed_forward_norm = LayerNorm(dim), LayerNorm(dim)
        # Not fused: a fused kernel may give NaN where a token sees no picture at all, and gains nothing on so few keys.
        self.attention = MultiHeadAttention(
            dim, config.heads, context_dim=config.visual_dim, part=config.part, bias=False, attention=scaled_dot_product
        )
        self.feed_forward = FeedForward(dim, config.hidden, bias=False, activation=F.gelu)
        self.attention_gate, self.feed_forward_gate = TanhGate(config.gated), TanhGate(config.gated)

    def forward(
        self,
        x: Float[Tensor, "batch tokens dim"],
        visual: Float[Tensor, "batch keys visual_dim"],
        mask: Bool[Tensor, "batch tokens keys"],
    ) -> Float[Tensor, "batch tokens dim"]:
        """`mask` says which token may see which visual tokens."""
        x = self.attention_gate(x, self.attention(self.attention_norm(x), visual, mask))
        return self.feed_forward_gate(x, self.feed_forward(self.feed_forward_norm(x)))


def latest_picture(
    tokens: Int[Tensor, "batch tokens"], picture: int, pictures: int, before: Int[Tensor, "batch 1"] | int = 0
) -> Bool[Tensor, "batch tokens pictures"]:
    """The image-causal mask: each token may see the latest picture before it, and no other (Alayrac et al., §2.3).

    A picture's own token sees it already; what stands before the first picture sees none. `before` says how many
    pictures came in the tokens before these.
    """
    latest = (tokens == picture).cumsum(dim=1) + before - 1
    return latest[..., None] == torch.arange(pictures, device=tokens.device)


class Flamingo(nn.Module):
    """A language model with eyes. Only what was added is to be trained."""

    def __init__(self, lm: Llama, config: Config):
        super().__init__()
        self.config = config
        self.lm = lm.requires_grad_(False)
        self.resampler: nn.Module = Pooled(config.features, config.visual_dim)
        if config.resample:
            self.resampler = PerceiverResampler(
                config.features, config.patches, config.visual_dim, config.latents, config.resampler_blocks,
                config.resampler_heads, config.resampler_hidden,
            )  # fmt: skip
        places = [i for i in range(len(lm.blocks)) if (i + 1) % config.every == 0]
        self.cross = nn.ModuleDict({str(i): GatedCrossAttentionBlock(lm.config.dim, config) for i in places})

    def look(
        self,
        features: Float[Tensor, "batch pictures tiles patches features"],
        there: Bool[Tensor, "batch pictures tiles"],
    ) -> Float[Tensor, "batch pictures latents visual_dim"]:
        """Visual tokens of each picture."""
        visual = self.resampler(features.flatten(0, 1), there.flatten(0, 1))
        return rearrange(visual, "(batch pictures) latents dim -> batch pictures latents dim", batch=len(features))

    def states(
        self,
        tokens: Int[Tensor, "batch tokens"],
        visual: Float[Tensor, "batch pictures latents visual_dim"] | None,
        past: Sequence[Cache] | None = None,
        before: Int[Tensor, "batch 1"] | int = 0,
        mask: Bool[Tensor, "batch keys"] | None = None,
    ) -> Float[Tensor, "batch tokens dim"]:
        """What the last block makes of each token; with no `visual` at all, the bare language model's.

        Args:
            tokens: texts of one length. Shorter ones are filled up in front.
            visual: the visual tokens of their pictures, in the order of the pictures' tokens.
            past: what is remembered of the tokens before; it grows by these.
            before: how many pictures came with the tokens before.
            mask: which of all tokens so far are no filling.
        """
        x, table = self.lm.embed(tokens, past[0].nodes if past else 0)
        x = x.float()  # the stream stays in full precision, whatever the blocks work in
        if visual is not None:
            seen = latest_picture(tokens, self.config.picture, visual.shape[1], before)
            seen = seen.repeat_interleave(visual.shape[2], dim=2)
            visual = rearrange(visual, "batch pictures latents dim -> batch (pictures latents) dim")
        for i, block in enumerate(self.lm.blocks):
            if visual is not None and str(i) in self.cross:
                x = self.cross[str(i)](x, visual, seen)
            x = block(x, table, None if mask is None else mask[:, None, :], past[i] if past else None)
        return x

    def forward(
        self,
        tokens: Int[Tensor, "batch tokens"],
        features: Float[Tensor, "batch pictures tiles patches features"],
        there: Bool[Tensor, "batch pictures tiles"],
    ) -> Float[Tensor, "batch tokens vocabulary"]:
        """Scores of the token that follows each."""
        return self.lm.logits(self.states(tokens, self.look(features, there)))

    # What was added

    def adapter(self) -> dict[str, Tensor]:
        """All that is to be learned, by name."""
        return {name: value for name, value in self.state_dict(keep_vars=True).items() if not name.startswith("lm.")}

    def load_adapter(self, adapter: dict[str, Tensor]) -> None:
        """Give what was added these weights.

        Raises:
            ValueError: if they are another Flamingo's.
        """
        shapes, given = ({name: value.shape for name, value in each.items()} for each in (self.adapter(), adapter))
        if strange := sorted(dict(shapes.items() ^ given.items())):
            raise ValueError(f"these are another Flamingo's weights: {strange[0]} does not fit.")
        self.load_state_dict(adapter, strict=False)

    @torch.no_grad()
    def openings(self) -> dict[str, tuple[float, float]]:
        """How far each block's two gates are open, by the block of the language model that it stands before."""
        found = {}
        for place, block in self.cross.items():
            assert isinstance(block, GatedCrossAttentionBlock)
            found[place] = block.attention_gate.opening.item(), block.feed_forward_gate.opening.item()
        return found


class Seeing:
    """A Flamingo and the pictures of its texts: what `squint.text.sampling.generate` writes with.

    Attributes:
        visual: tokens of the pictures; none for the bare language model.
        filling: how many tokens in front of each text are none of it.
        before: how many pictures came so far.
    """

    def __init__(
        self,
        flamingo: Flamingo,
        visual: Float[Tensor, "batch pictures latents visual_dim"] | None,
        filling: Int[Tensor, "batch 1"] | None = None,
    ):
        self.flamingo, self.visual, self.filling = flamingo, visual, filling
        self.before: Tensor | int = 0

    @property
    def longest(self) -> int:
        """How many tokens it sees at once."""
        return self.flamingo.lm.longest

    def begin(self) -> list[Cache]:
        """Before the first token, and before the first picture."""
        self.before = 0
        return self.flamingo.lm.begin()

    def __call__(
        self, tokens: Int[Tensor, "batch new"], past: Sequence[Cache], last: int | None
    ) -> Float[Tensor, "batch places vocabulary"]:
        """Scores of what follows the last tokens."""
        keys = torch.arange(past[0].nodes + tokens.shape[1], device=tokens.device)
        mask = None if self.filling is None else keys >= self.filling
        states = self.flamingo.states(tokens, self.visual, past, self.before, mask)
        self.before = self.before + (tokens == self.flamingo.config.picture).sum(dim=1, keepdim=True)
        return self.flamingo.lm.logits(states if last is None else states[:, -last:])

    def of(self, rows: Int[Tensor, " kept"]) -> Seeing:
        """Only these of its texts, each as often as it is named."""
        fewer = copy(self)
        for name in ("visual", "filling", "before"):
            value = getattr(self, name)
            setattr(fewer, name, value[rows] if isinstance(value, Tensor) else value)
        return fewer


# From files


def load_eye(file: Path) -> Tower:
    """The picture tower of a CLIP's file, which may hold that alone.

    Raises:
        ValueError: if the file holds none.
    """
    try:
        about, weights = clip.read_weights(file, "image.")
        config = clip.config_of(clip.Config, about["config"])
    except (KeyError, TypeError):
        raise ValueError(f"{file.name} holds no CLIP's picture tower.") from None
    tower = clip.TOWERS[config.tower](config)
    clip.fill(tower, weights)
    return tower


def load(file: Path, lm: Llama) -> Flamingo:
    """The Flamingo of a file, on its language model; ready for use.

    Raises:
        ValueError: if the file holds none, or one of another shape than its header tells.
    """
    try:
        about, weights = clip.read_weights(file)
        model = Flamingo(lm, Config(**about["config"]))
    except (KeyError, TypeError):
        raise ValueError(f"{file.name} holds no Flamingo.") from None
    model.load_adapter(weights)
    return model.eval().requires_grad_(False)


def pretrained() -> tuple[Flamingo, Tower, Tokenizer, dict[str, Any]]:
    """The Flamingo that the course ships, its picture tower, SmolLM2's tokenizer, and the card; ready for use.

    Made by `data/recipes/flamingo.py`. Neither it nor its eye learned from the style `emojitwo`, nor from the concepts
    that `squint.data.emoji.split_concepts(0)` holds out. The card says how good it is, and what it cannot do.

    Raises:
        DataError: SmolLM2 was not fetched yet, or a file is missing or not what it was.
    """
    lm, tokenizer = smollm2()
    model = load(catalogue.path("flamingo/flamingo.safetensors"), lm)
    card = json.loads(catalogue.path("flamingo/card.json").read_text("utf-8"))
    return model, load_eye(catalogue.path("flamingo/eye.safetensors")), tokenizer, card
