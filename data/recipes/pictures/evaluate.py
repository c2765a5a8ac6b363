"""Measures the weights as they ship: who recognises what unCLIP draws, and how far it is from real pictures."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from squint.data.album import Pictures
from squint.models.clip import CLIP, rank_of_truth
from squint.models.diffusion import draw_noise, sample_ddim, sample_ddpm
from squint.models.unclip import Caption, UnCLIP, enlarged, lengthened, unit

from . import shared
from .zero_shot import embed, embed_names

# Measures


def kernel_distance(a: Float[Tensor, "n dim"], b: Float[Tensor, "m dim"]) -> float:
    """How far apart two sets are: squared maximum mean discrepancy, unbiased, kernel (x·y/d + 1)³; times a thousand.

    (Bińkowski et al. 2018.) Can be a little below zero for sets from one source.
    """

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (shared.precise(x) @ shared.precise(y).mT / x.shape[1] + 1) ** 3

    def within(x: Tensor) -> Tensor:
        k = kernel(x, x)
        return (k.sum() - k.diagonal().sum()) / (len(x) * (len(x) - 1))

    return 1000 * (within(a) + within(b) - 2 * kernel(a, b).mean()).item()


def at_32(pictures: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch 3 32 32"]:
    """At the size that CLIP knows."""
    size = pictures.shape[-1]
    if size > 32:
        return F.avg_pool2d(pictures, size // 32)
    return pictures if size == 32 else enlarged(pictures)


@torch.no_grad()
def features(clip: CLIP, pictures: Float[Tensor, "n 3 size size"]) -> Float[Tensor, "n dim"]:
    """CLIP's embeddings at length √dim, for pictures from 0 to 1."""
    return lengthened(torch.cat([clip.embed_pictures(part) for part in at_32(pictures).split(256)]))


def corners(pictures: Float[Tensor, "n 3 64 64"]) -> Float[Tensor, "n*5 3 32 32"]:
    """Four quarters and the middle of each picture: what CLIP can see of the details at 64 pixels."""
    cuts = [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)]
    return torch.cat([pictures[..., y : y + 32, x : x + 32] for y, x in cuts])


def hits(
    clip: CLIP, names: Tensor, pictures: Tensor, concepts: Int[Tensor, " n"], among: Int[Tensor, " k"]
) -> dict[str, float]:
    """How often CLIP gives a picture its right name, among those of `among` and among all."""
    seen = features(clip, pictures)
    few = rank_of_truth(seen, names[among], torch.searchsorted(among, concepts))
    every = rank_of_truth(seen, names, concepts)
    return {
        "top1": share(few == 0), "top5": share(few < 5),
        "top1_of_all": share(every == 0), "top5_of_all": share(every < 5),
    }  # fmt: skip


def share(mask: Tensor) -> float:
    """Of how many it is true."""
    return round(mask.float().mean().item(), 4)


# What is measured on


class Cast:
    """Concepts, a real picture of each, and their embeddings from three sources."""

    def __init__(self, unclip: UnCLIP, pictures: Pictures, purpose: str, concepts: int, seed: int = 0):
        chance = torch.Generator().manual_seed(seed)
        candidates = pictures.purpose[purpose].cpu()
        known = pictures.concept[pictures.purpose[purpose]].cpu()
        every = known.unique()
        chosen = every[torch.randperm(len(every), generator=chance)[:concepts]].sort().values
        picks = []
        for concept in chosen.tolist():
            rows = candidates[known == concept]
            picks.append(rows[torch.randint(len(rows), (1,), generator=chance)])
        device = pictures.images.device
        self.concepts, self.places = chosen.to(device), torch.cat(picks).to(device)
        self.all_places = candidates[torch.isin(known, chosen)].to(device)
        self.names = [pictures.names[i] for i in chosen.tolist()]
        self.real = embed(unclip.clip, pictures, self.places)
        self.caption = Caption.read(unclip.clip, self.names)
        several = unclip.prior.sample(self.caption.repeated(2), generator=torch.Generator(device).manual_seed(seed))
        several = rearrange(several, "(n two) d -> n two d", two=2)
        closest = torch.einsum("ntd,nd->nt", several, self.caption.embedding).argmax(dim=1)
        self.prior_one, self.prior = several[:, 0], several[torch.arange(len(several), device=device), closest]

    def sources(self) -> dict[str, Tensor]:
        """Embeddings to draw from, by where they come from."""
        return {"true": lengthened(self.real), "prior": self.prior, "text": self.caption.embedding}

    def cosines(self) -> dict[str, float]:
        """How close each source is to the true embedding."""
        pairs = {"prior": self.prior_one, "prior_best_of_2": self.prior, "text": self.caption.embedding}
        return {name: round(F.cosine_similarity(one, self.real).mean().item(), 4) for name, one in pairs.items()}


# The measurements


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        concepts, samples: how many concepts, and how many pictures are drawn of each.
        steps, upsampler_steps: of the samplers.
        guidance: weights to try.
        ddim, ddpm: numbers of steps to try.
    """

    concepts: int = 150
    samples: int = 4
    steps: int = 25
    upsampler_steps: int = 8
    guidance: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0, 4.0)
    ddim: tuple[int, ...] = (10, 25, 50)
    ddpm: tuple[int, ...] = (25, 250)


TINY = Size(6, 2, 3, 2, (1.0, 2.0), (2,), (3,))


class Judge:
    """All models, and what was found so far.

    Args:
        unclip: the models.
        judges: the CLIPs that look at what was drawn, by name; `shipped` is among them.
        pictures: the emoji.
        size: how much to measure.
    """

    def __init__(self, unclip: UnCLIP, judges: Mapping[str, CLIP], pictures: Pictures, size: Size):
        self.unclip, self.judges, self.pictures, self.size = unclip, judges, pictures, size
        self.place = pictures.images.device
        torch.backends.cudnn.benchmark = False  # many sizes, each used a few times: a search would not pay
        self.names = {name: embed_names(judge, pictures) for name, judge in judges.items()}
        self.settings: dict[str, Any] = {
            "steps": size.steps, "guidance": 1.5, "upsampler_steps": size.upsampler_steps, "spoil": 0.1,
        }  # fmt: skip
        self.casts = {
            "train": Cast(unclip, pictures, "train", size.concepts),
            "held_out": Cast(unclip, pictures, "test_concepts", size.concepts),
        }

    def run(self) -> dict[str, Any]:
        """Everything; guidance comes first, since the rest is drawn with what it found best."""
        found: dict[str, Any] = {}
        for measure in (self.cosines, self.guidance, self.sources, self.steps, self.spoiling, self.copies):
            start = time.monotonic()
            found[measure.__name__] = measure()
            print(f"[measure] {measure.__name__}: {time.monotonic() - start:.1f} s "
                  f"{json.dumps(found[measure.__name__])}", flush=True)  # fmt: skip
        return {**found, "settings": self.settings}

    def generator(self, seed: int = 0) -> torch.Generator:
        """Always the same noise."""
        return torch.Generator(self.place).manual_seed(seed)

    def draw(self, embedding: Tensor, **changes: Any) -> list[Tensor]:
        """Pictures from 0 to 1 at three sizes."""
        settings = {**self.settings, **changes}
        with shared.in_bf16(self.place):
            return [unit(each) for each in self.unclip.draw(embedding, **settings, generator=self.generator())]

    def distance(self, drawn: Tensor, real: Tensor) -> dict[str, float]:
        """Kernel distance in each judge's eyes."""
        return {
            name: round(kernel_distance(features(judge, drawn), features(judge, real)), 2)
            for name, judge in self.judges.items()
        }

    def recognised(self, drawn: Tensor, concepts: Tensor, among: Tensor) -> dict[str, dict[str, float]]:
        """Zero-shot accuracy in each judge's eyes."""
        return {name: hits(judge, self.names[name], drawn, concepts, among) for name, judge in self.judges.items()}

    def cosines(self) -> dict[str, Any]:
        """The prior's embeddings and the captions' own, beside the true ones."""
        return {name: cast.cosines() for name, cast in self.casts.items()}

    def guidance(self) -> dict[str, Any]:
        """Fidelity against spread, on concepts of the training set; the best by kernel distance is kept."""
        cast, times = self.casts["train"], self.size.samples
        embedding, real = cast.sources()["true"], self.pictures.plain(cast.all_places)
        many, concepts = (each.repeat_interleave(times, dim=0) for each in (embedding, cast.concepts))
        rows: dict[str, Any] = {}
        for weight in self.size.guidance:
            drawn = self.draw(many, guidance=weight)[1]
            seen = rearrange(features(self.unclip.clip, drawn), "(n times) d -> n times d", times=times)
            alike = F.cosine_similarity(seen[:, :1], seen[:, 1:], dim=-1).mean().item()
            rows[str(weight)] = {
                "kernel_distance": self.distance(drawn, real), "spread": round(1 - alike, 4),
                "top1": self.recognised(drawn, concepts, cast.concepts),
            }  # fmt: skip
        self.settings["guidance"] = float(min(rows, key=lambda weight: rows[weight]["kernel_distance"]["shipped"]))
        return rows

    def sources(self) -> dict[str, Any]:
        """The main table: pictures from true, prior's and captions' embeddings; recognised, and close to real ones?"""
        table: dict[str, Any] = {}
        for set_name, cast in self.casts.items():
            real = self.pictures.plain(cast.all_places)
            half = torch.randperm(len(real), generator=torch.Generator().manual_seed(0)).to(self.place)
            cut = len(real) // 2
            table[f"{set_name}, real pictures"] = {
                "recognised": self.recognised(real, self.pictures.concept[cast.all_places], cast.concepts),
                "kernel_distance_of_halves": self.distance(real[half[:cut]], real[half[cut:]]),
            }
            for source, embedding in cast.sources().items():
                many, concepts = (
                    each.repeat_interleave(self.size.samples, dim=0) for each in (embedding, cast.concepts)
                )
                small, middle, large = self.draw(many)
                table[f"{set_name}, {source}"] = {
                    "recognised": self.recognised(middle, concepts, cast.concepts),
                    "recognised_at_16": self.recognised(small, concepts, cast.concepts),
                    "recognised_at_64": self.recognised(large, concepts, cast.concepts),
                    "kernel_distance": self.distance(middle, real),
                }
        return table

    def steps(self) -> dict[str, Any]:
        """Few steps of DDIM against many of DDPM, without guidance, at 16 pixels."""
        cast = self.casts["train"]
        real = self.pictures.plain(cast.all_places, 16)
        embedding = cast.sources()["true"].repeat_interleave(self.size.samples, dim=0)
        noise = draw_noise((len(embedding), 3, 16, 16), self.place, self.generator())
        denoiser = self.unclip.decoder.denoiser(embedding)
        plans: dict[str, Callable[[], Tensor]] = {}
        for n in self.size.ddim:
            plans[f"ddim {n}"] = lambda n=n: sample_ddim(denoiser, noise, n)
        for n in self.size.ddpm:
            plans[f"ddpm {n}"] = lambda n=n: sample_ddpm(denoiser, noise, n, generator=self.generator(1))
        rows = {}
        for name, sample in plans.items():
            with shared.in_bf16(self.place):
                drawn = unit(sample())
            rows[name] = self.distance(drawn, real)
        return rows

    def spoiling(self) -> dict[str, Any]:
        """How much noise the upsamplers' input should get, and how few steps do; judged at 32 pixels and in corners."""
        cast = self.casts["train"]
        real = self.pictures.plain(cast.all_places, 64)
        embedding = cast.sources()["true"].repeat_interleave(max(1, self.size.samples // 2), dim=0)

        def row(middle: Tensor, large: Tensor) -> dict[str, Any]:
            details = self.distance(corners(large), corners(real))
            return {"at_32": self.distance(middle, real), "corners_of_64": details}

        rows = {}
        for spoil, steps in [(0.0, 8), (0.05, 8), (0.1, 8), (0.2, 8), (0.3, 8), (0.1, 4), (0.1, 16)]:
            small, *larger = self.draw(embedding, spoil=spoil, upsampler_steps=steps)
            rows[f"spoil {spoil}, {steps} steps"] = row(*larger)
        rows["plain enlarging"] = row(enlarged(small), enlarged(enlarged(small)))
        return rows

    def copies(self) -> dict[str, Any]:
        """Does it draw from memory? Root mean square distance to the closest training picture, at 16 pixels."""
        train = self.pictures.plain(self.pictures.purpose["train"], 16).flatten(1)
        nothing = self.unclip.decoder.nothing.expand(self.size.concepts, -1)
        with shared.in_bf16(self.place):
            free = unit(self.unclip.decoder.sample(nothing, self.size.steps, 1.0, self.generator()))
        aside = self.pictures.plain(self.pictures.purpose["valid_concepts"], 16)
        result = {}
        for name, some in {"drawn without a condition": free, "real, set aside": aside}.items():
            closest = torch.cdist(some.flatten(1), train).min(dim=1).values / train.shape[1] ** 0.5
            result[name] = {"mean": round(closest.mean().item(), 4), "below 0.05": share(closest < 0.05)}
        return result

    def grids(self, file: Path) -> None:
        """A sheet of samples that nobody chose, row by row.

        Real pictures, and drawings of 16, 32 and 64 pixels from their embeddings; then for concepts to learn from and
        for held-out ones real pictures, and drawings from each source; then free captions.
        """
        columns, trained = len(FREE), self.pictures.purpose["train"]
        order = torch.randperm(len(trained), generator=torch.Generator().manual_seed(7))
        picks = trained[order[:columns].to(self.place)]
        rows = [self.pictures.plain(picks, 64), *self.draw(lengthened(embed(self.unclip.clip, self.pictures, picks)))]
        for cast in self.casts.values():
            few = torch.linspace(0, len(cast.places) - 1, columns).long().to(self.place)
            rows.append(self.pictures.plain(cast.places[few], 64))
            rows += [self.draw(vectors[few])[2] for vectors in cast.sources().values()]
        rows.append(self.draw(self.unclip.imagine(FREE, generator=self.generator(3)))[2])
        times = [64 // row.shape[-1] for row in rows]
        tall = [repeat(row, "n c h w -> (h a) (n w b) c", a=k, b=k) for row, k in zip(rows, times, strict=True)]
        Image.fromarray((torch.cat(tall) * 255).round().to(torch.uint8).cpu().numpy()).save(file, optimize=True)


FREE = [
    "red apple", "blue car", "happy cat", "sad dog", "green heart", "yellow flower", "house with snow", "purple hat",
    "angry bear", "pizza", "king", "queen", "ocean", "fire truck", "blue fish", "moon face", "flat emoji cat", "robot",
    "tiger", "rainbow", "black cat", "small boat", "cup of tea", "banana",
]  # fmt: skip
