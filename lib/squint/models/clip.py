"""CLIP: learn pictures from the words people have for them (Radford et al. 2021, "CLIP").

Two towers, one for pictures and one for words, each ending in a vector of length one; a contrastive loss that pulls a
picture towards its own caption and away from those of the others in the batch.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from squint.data import catalogue, glove
from squint.nn.attention import padding_mask
from squint.nn.positions import LearnedPositions
from squint.nn.transformer import Dropout, Encoder
from squint.text.words import split_words

Kind = TypeVar("Kind")
PADDING, UNKNOWN = 0, 1
LARGEST_SCALE = 100.0
"""The similarities are never multiplied by more (Radford et al. 2021, §2.5)."""


@dataclass(frozen=True)
class Config:
    """The shape of a `CLIP`.

    Attributes:
        tower: what looks at pictures, `cnn` or `vit`.
        embedding: the width of the space that both towers share.
        size: the side of the pictures, in pixels.
        channels: of the CNN's stages, each at half the side of the one before.
        patch, image_dim, image_heads, image_hidden, image_blocks: of the ViT.
        text_dim, text_heads, text_hidden, text_blocks: of the text tower.
        tokens: the longest caption, in words.
        glove: whether words start from their GloVe vectors.
        dropout: the share of entries that training drops, in both towers.
        forget: the share of words that training takes for unknown, but for their GloVe vectors.

    Raises:
        ValueError: there is no such tower, or the patches do not fill the picture.
    """

    tower: str = "cnn"
    embedding: int = 128
    size: int = 32
    channels: tuple[int, ...] = (40, 80, 160, 224)
    patch: int = 4
    image_dim: int = 192
    image_heads: int = 6
    image_hidden: int = 576
    image_blocks: int = 6
    text_dim: int = 128
    text_heads: int = 4
    text_hidden: int = 384
    text_blocks: int = 3
    tokens: int = 16
    glove: bool = True
    dropout: float = 0.1
    forget: float = 0.2

    def __post_init__(self) -> None:
        if self.tower not in TOWERS:
            raise ValueError(f"there is no tower {self.tower!r}; there are {', '.join(TOWERS)}.")
        if self.size % self.patch:
            raise ValueError(f"patches of {self.patch} pixels do not fill a side of {self.size}.")


# Words


class Vocabulary:
    """Numbers for words: those that the captions use come first, then all others that GloVe knows.

    GloVe's vectors (Pennington et al. 2014) are brought to one length here: how common a word is, which their length
    tells, says nothing about pictures.

    Attributes:
        own: the captions' words; the model learns a vector for each.
        words: padding, unknown (a question mark, and it has that one's vector), `own`, and the rest of GloVe's 20,000.
        number: each word's place in `words`.
        vectors: one row a word, of length √50; zeros where GloVe has none.
    """

    def __init__(self, own: Sequence[str]):
        self.own = list(own)
        known = set(self.own)
        vectors = glove.load()
        self.words = ["", "?", *self.own, *(word for word in vectors.words if word not in known)]
        self.number = {word: i for i, word in enumerate(self.words)}
        place = torch.tensor([vectors.index.get(word, -1) for word in self.words])
        rows = vectors.vectors[place] * (place >= 0)[:, None]
        self.vectors: Float[Tensor, "words 50"] = math.sqrt(50) * F.normalize(rows, dim=-1)

    def encode(self, captions: Sequence[str], tokens: int = 16) -> Int[Tensor, "captions tokens"]:
        """The words' numbers, cut off or padded to `tokens`."""
        rows = [[self.number.get(word, UNKNOWN) for word in split_words(caption)] or [UNKNOWN] for caption in captions]
        return torch.tensor([(row + [PADDING] * tokens)[:tokens] for row in rows])


class WordEmbedding(nn.Module):
    """A word's GloVe vector, projected, plus a vector of our own if captions use the word.

    In training some words lose what is their own: so the model learns to get along with GloVe alone, as it must for
    words that no caption had.
    """

    def __init__(self, vocabulary: Vocabulary, dim: int, forget: float, use_glove: bool = True):
        super().__init__()
        self.own = nn.Embedding(2 + len(vocabulary.own), dim)
        nn.init.normal_(self.own.weight, std=0.02 if use_glove else 1.0)
        self.project = nn.Linear(vocabulary.vectors.shape[1], dim, bias=False)
        self.forget = forget
        # Not saved: the course ships GloVe's vectors anyway.
        self.glove: Tensor
        self.register_buffer("glove", vocabulary.vectors * float(use_glove), persistent=False)

    def forward(self, words: Int[Tensor, "*batch tokens"]) -> Float[Tensor, "*batch tokens dim"]:
        """What each word means, whatever stands around it."""
        known = words < self.own.num_embeddings
        if self.training:
            known &= torch.rand(words.shape, device=words.device) >= self.forget
        return self.own(words.where(known, UNKNOWN)) + self.project(self.glove[words])


class TextTower(nn.Module):
    """A small Transformer over the words; the caption's vector is the mean of theirs, projected."""

    def __init__(self, config: Config, vocabulary: Vocabulary):
        super().__init__()
        dim = config.text_dim
        self.words = WordEmbedding(vocabulary, dim, config.forget, config.glove)
        self.positions = LearnedPositions(config.tokens, dim)
        self.encoder = Encoder(config.text_blocks, dim, config.text_heads, config.text_hidden, dropout=config.dropout)
        self.project = nn.Linear(dim, config.embedding, bias=False)

    def states(self, words: Int[Tensor, "batch tokens"]) -> Float[Tensor, "batch tokens dim"]:
        """A vector a word, which knows its caption."""
        mask = padding_mask((words != PADDING).sum(dim=-1), words.shape[-1])
        return self.encoder(self.positions(self.words(words)), mask)

    def whole(
        self, states: Float[Tensor, "batch tokens dim"], words: Int[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch embedding"]:
        """A vector a caption, from those of its words."""
        real = (words != PADDING)[..., None]
        return self.project((states * real).sum(dim=-2) / real.sum(dim=-2))

    def forward(self, words: Int[Tensor, "batch tokens"]) -> Float[Tensor, "batch embedding"]:
        """A vector a caption, not yet of length one."""
        return self.whole(self.states(words), words)


# Pictures, in two ways


class VisionTransformer(nn.Module):
    """A picture as a sequence of square patches (Dosovitskiy et al. 2021)."""

    def __init__(self, config: Config):
        super().__init__()
        self.patch, dim = config.patch, config.image_dim
        self.embed = nn.Linear(3 * config.patch**2, dim)
        self.positions = LearnedPositions((config.size // config.patch) ** 2, dim)
        self.encoder = Encoder(
            config.image_blocks, dim, config.image_heads, config.image_hidden, dropout=config.dropout
        )
        self.project = nn.Linear(dim, config.embedding, bias=False)

    def patches(self, pictures: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch patches features"]:
        """What it knows of each patch, row by row."""
        patches = rearrange(pictures, "b c (h p) (w q) -> b (h w) (p q c)", p=self.patch, q=self.patch)
        return self.encoder(self.positions(self.embed(patches)))

    def forward(self, pictures: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch embedding"]:
        """A vector a picture, not yet of length one."""
        return self.project(self.patches(pictures).mean(dim=-2))


class ConvolutionBlock(nn.Module):
    """Two convolutions and a way around them (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.first_norm, self.second_norm = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        same = inputs == outputs and stride == 1
        self.around = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, bias=False)
        self.shrink = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs h2 w2"]:
        """Halve the sides if the stride is two."""
        change = self.second_norm(self.second(self.first_norm(self.first(x)).relu()))
        return (self.around(self.shrink(x)) + change).relu()


class ConvolutionTower(nn.Module):
    """Stages of convolutions, each at half the resolution of the one before; then the mean over the picture."""

    def __init__(self, config: Config):
        super().__init__()
        first = config.channels[0]
        self.stem = nn.Conv2d(3, first, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(first)
        blocks = [ConvolutionBlock(first, first)]
        for inputs, outputs in pairwise(config.channels):
            blocks += [ConvolutionBlock(inputs, outputs, stride=2), ConvolutionBlock(outputs, outputs)]
        self.blocks = nn.Sequential(*blocks)
        self.dropout = Dropout(config.dropout)
        self.project = nn.Linear(config.channels[-1], config.embedding, bias=False)

    def patches(self, pictures: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch patches features"]:
        """What it knows of each place of the last stage, row by row."""
        seen = self.blocks(self.stem_norm(self.stem(pictures)).relu())
        return rearrange(seen, "b features h w -> b (h w) features")

    def forward(self, pictures: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch embedding"]:
        """A vector a picture, not yet of length one."""
        return self.project(self.dropout(self.patches(pictures).mean(dim=-2)))


TOWERS: dict[str, type[ConvolutionTower] | type[VisionTransformer]] = {
    "cnn": ConvolutionTower,
    "vit": VisionTransformer,
}


# Both together


class CLIP(nn.Module):
    """Two towers and a temperature."""

    def __init__(self, config: Config, vocabulary: Vocabulary):
        super().__init__()
        self.config, self.vocabulary = config, vocabulary
        self.image = TOWERS[config.tower](config)
        self.text = TextTower(config, vocabulary)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    @property
    def scale(self) -> Float[Tensor, ""]:
        """What similarities are multiplied by before the softmax: one over the temperature, clipped."""
        return self.log_scale.clamp(max=math.log(LARGEST_SCALE)).exp()

    def embed_pictures(self, pictures: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch embedding"]:
        """Vectors of length one, for pictures with values from 0 to 1."""
        return F.normalize(self.image(2 * pictures - 1).float(), dim=-1)

    def embed_words(self, words: Int[Tensor, "batch tokens"]) -> Float[Tensor, "batch embedding"]:
        """Vectors of length one, for captions as numbers of words."""
        return F.normalize(self.text(words).float(), dim=-1)

    def embed_captions(self, captions: Sequence[str]) -> Float[Tensor, "batch embedding"]:
        """Vectors of length one, for captions."""
        words = self.vocabulary.encode(captions, self.config.tokens)
        return self.embed_words(words.to(self.log_scale.device))

    def forward(
        self, pictures: Float[Tensor, "batch 3 size size"], words: Int[Tensor, "batch tokens"]
    ) -> tuple[Float[Tensor, "batch embedding"], Float[Tensor, "batch embedding"], Float[Tensor, ""]]:
        """Vectors of pictures and of captions, and the scale."""
        return self.embed_pictures(pictures), self.embed_words(words), self.scale


def contrastive_loss(
    pictures: Float[Tensor, "batch embedding"],
    captions: Float[Tensor, "batch embedding"],
    scale: Float[Tensor, ""],
    hidden: Bool[Tensor, "batch batch"] | None = None,
) -> Float[Tensor, ""]:
    """Which caption belongs to a picture, and which picture to a caption: the mean of both cross-entropies.

    Radford et al. 2021, §2.3 and figure 3. `hidden` pairs count neither as right nor as wrong, such as another picture
    of the same thing.
    """
    # In full precision: a scale of 100 makes bf16's error in a similarity as large as the differences that matter.
    with torch.autocast(pictures.device.type, enabled=False):
        logits = scale.float() * pictures.float() @ captions.float().mT
        if hidden is not None:
            logits = logits.masked_fill(hidden, torch.finfo(logits.dtype).min)
        right = torch.arange(len(logits), device=logits.device)
        return (F.cross_entropy(logits, right) + F.cross_entropy(logits.mT, right)) / 2


def rank_of_truth(
    pictures: Float[Tensor, "n embedding"], names: Float[Tensor, "classes embedding"], truth: Int[Tensor, " n"]
) -> Int[Tensor, " n"]:
    """How many other names a picture is at least as close to as to its own; 0 is right (zero-shot, §3.1 of the paper).

    A tie counts against it, so a tower that gives every picture and every name the same vector is never right.
    """
    similarity = pictures @ names.mT
    return (similarity >= similarity.gather(-1, truth[:, None])).sum(dim=-1) - 1


# From a file


def read_weights(file: Path, prefix: str = "") -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What stands in a safetensors file's header under `about`, and the tensors under `prefix`, in full precision."""
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        about = json.loads(opened.metadata()["about"])
        names = [name for name in opened.keys() if name.startswith(prefix)]  # noqa: SIM118  (it is no dict)
        # Half precision is how weights are kept, not how they are used.
        return about, {name.removeprefix(prefix): opened.get_tensor(name).float() for name in names}


def config_of(kind: type[Kind], shape: Mapping[str, Any]) -> Kind:
    """A config from JSON, which has lists where a config has tuples."""
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in shape.items()})


def fill(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put weights into a model that is to be used, not trained on; only batch norms' counters may be missing.

    Raises:
        ValueError: if they are another model's.
    """
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if strange := [*unexpected, *(name for name in missing if not name.endswith("num_batches_tracked"))]:
        raise ValueError(f"these are another model's weights: {strange[0]} fits nothing.")
    model.to(memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]


def load(file: Path) -> CLIP:
    """The model of a file, ready for use.

    Raises:
        ValueError: if the file does not hold the model that its header tells of.
    """
    about, weights = read_weights(file)
    model = CLIP(config_of(Config, about["config"]), Vocabulary(about["words"]))
    fill(model, weights)
    return model


def pretrained() -> tuple[CLIP, dict[str, Any]]:
    """The CLIP on emoji that the course ships, ready for use, and the card of the picture models.

    Made by `data/recipes/pictures.py`. It never saw the style `emojitwo`, nor the concepts that
    `squint.data.emoji.split_concepts(0)` holds out. The card says how it was trained and how good it is.

    Raises:
        DataError: a file is missing or not what it was.
    """
    return load(catalogue.path("pictures/clip.safetensors")), card()


def card() -> dict[str, Any]:
    """What the shipped picture models are, where they come from and how good they are.

    Raises:
        DataError: the file is missing or not what it was.
    """
    return json.loads(catalogue.path("pictures/card.json").read_text("utf-8"))
