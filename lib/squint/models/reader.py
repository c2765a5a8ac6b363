"""A Flamingo at work: pictures and words in, answers out.

Asked as in Alayrac et al. 2022, §3: a few examples and a question in one text, with a token where each picture is
shown. It answers freely, or by the likeliest of some choices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from squint.data.episodes import ABSENT, BLANK, TILES, Episode, Turn
from squint.models.flamingo import Flamingo, Seeing, Tower
from squint.text.sampling import generate

BEGIN, PICTURE, END = "<|endoftext|>", "<jupyter_output>", "\n"
"""Before a text; where a picture is shown, a token that no text of SmolLM2's training had; after an answer."""
Found = TypeVar("Found")


class Eye:
    """A picture tower and the pictures that may be shown to it. It is frozen, so it looks at each of them once.

    Attributes:
        pictures: values from 0 to 1; after those that were given comes a white one, which `BLANK` names.
        table: of those that it has `looked` at, what it knows of each patch before it takes the mean over the picture.
    """

    def __init__(self, tower: Tower, pictures: Float[Tensor, "n 3 size size"]):
        self.tower = tower
        self.pictures = torch.cat([pictures, torch.ones_like(pictures[:1])])
        white = self.look(self.pictures[BLANK:])
        self.table = white.new_zeros(len(self.pictures), *white.shape[1:])
        self.looked = torch.zeros(len(self.pictures), dtype=torch.bool, device=pictures.device)

    @torch.no_grad()
    def look(self, pictures: Float[Tensor, "n 3 size size"]) -> Float[Tensor, "n patches features"]:
        """Features of the patches of pictures with values from 0 to 1."""
        return torch.cat([self.tower.patches(2 * some - 1) for some in pictures.split(256)])

    def features(
        self, tiles: Int[Tensor, "batch pictures tiles"]
    ) -> tuple[Float[Tensor, "batch pictures tiles patches features"], Bool[Tensor, "batch pictures tiles"]]:
        """Features of tiles, given as places of pictures, `BLANK` or `ABSENT`; and which tiles are there."""
        there = tiles != ABSENT
        places = tiles.clamp(min=BLANK) % len(self.pictures)
        new = places[there].unique()
        if len(new := new[~self.looked[new]]):
            self.table[new], self.looked[new] = self.look(self.pictures[new]).to(self.table.dtype), True
        return self.table[places], there


class Speller:
    """Turns as tokens. A text is cut where the tokenizer cuts it anyway, so each piece is spelled once."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self.encode = lru_cache(maxsize=None)(lambda text: tuple(tokenizer.encode(text).ids))
        (self.begin,), (self.picture,), (self.end,) = (self.encode(text) for text in (BEGIN, PICTURE, END))

    def turn(self, turn: Turn) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The picture's token, if it has one, and its prompt; and its answer."""
        return self.encode((PICTURE if turn.tiles else "") + turn.prompt), self.encode(turn.answer + END)

    def question(self, episode: Episode) -> list[int]:
        """Shots and question, one after the other: all but the last answer."""
        *shots, (prompt, _) = (self.turn(turn) for turn in episode)
        return [self.begin, *(token for parts in shots for part in parts for token in part), *prompt]


def tiles_of(episodes: Sequence[Episode]) -> Int[Tensor, "episodes pictures 4"]:
    """The tiles of each episode's pictures, filled up with absent ones."""
    shown = [[turn.tiles for turn in episode if turn.tiles] for episode in episodes]
    tiles = torch.full((len(shown), max(1, *map(len, shown)), TILES), ABSENT)
    for i, row in enumerate(shown):
        for j, picture in enumerate(row):
            tiles[i, j, : len(picture)] = torch.tensor(picture)
    return tiles


@dataclass(frozen=True)
class Rating:
    """Of each choice: its log-probability as an answer, and whether greedy decoding would say just that."""

    likely: Float[Tensor, " choices"]
    said: Bool[Tensor, " choices"]


class Reader:
    """A Flamingo that is asked in words and pictures.

    Attributes:
        model: what answers.
        eye: what it sees with; turns name its pictures.
        speller: of its words.
        batch: how many questions are read at once.
    """

    def __init__(self, model: Flamingo, eye: Eye, tokenizer: Tokenizer, batch: int = 8):
        self.model, self.eye, self.speller, self.batch = model, eye, Speller(tokenizer), batch

    def read(self, episodes: Sequence[Episode], bare: bool = False) -> tuple[Int[Tensor, "episodes tokens"], Seeing]:
        """Questions of one length, filled up in front, and who sees their pictures; none are seen if `bare`."""
        questions = [self.speller.question(episode) for episode in episodes]
        longest, place = max(map(len, questions)), self.eye.table.device
        filling = torch.tensor([[longest - len(question)] for question in questions], device=place)
        tokens = [[self.speller.begin] * (longest - len(question)) + question for question in questions]
        visual = None if bare else self.model.look(*self.eye.features(tiles_of(episodes).to(place)))
        return torch.tensor(tokens, device=place), Seeing(self.model, visual, filling if filling.any() else None)

    @torch.no_grad()
    def in_batches(self, episodes: Sequence[Episode], work: Callable[[list[Episode]], Sequence[Found]]) -> list[Found]:
        """What `work` finds for each question, given those of nearly one length together."""
        order = sorted(range(len(episodes)), key=lambda i: len(self.speller.question(episodes[i])))
        found: dict[int, Found] = {}
        for first in range(0, len(order), self.batch):
            places = order[first : first + self.batch]
            found |= zip(places, work([episodes[i] for i in places]), strict=True)
        return [found[i] for i in range(len(episodes))]

    # Choices

    def rate(self, episodes: Sequence[Episode], bare: bool = False) -> list[Rating]:
        """How likely each choice of the last turn is as its answer."""
        return self.in_batches(episodes, partial(self.rate_together, bare=bare))

    def rate_together(self, episodes: Sequence[Episode], bare: bool) -> list[Rating]:
        """The same for questions of nearly one length. Each is read once, whatever the number of its choices."""
        tokens, seeing = self.read(episodes, bare)
        past = seeing.begin()
        first = seeing(tokens, past, 1)
        counts = [len(episode[-1].choices) for episode in episodes]
        row = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)).to(tokens.device)
        spelled = [self.speller.encode(choice + END) for episode in episodes for choice in episode[-1].choices]
        answers = pad_sequence([*map(torch.tensor, spelled)], batch_first=True, padding_value=-1).to(tokens.device)
        real, answers = answers >= 0, answers.clamp(min=0)
        after = seeing.of(row)(answers[:, :-1], [cache.of(row) for cache in past], None)
        scores = torch.cat([first[row], after], dim=1).float()
        likely = scores.log_softmax(dim=-1).gather(2, answers[..., None])[..., 0].where(real, 0.0).sum(dim=1)
        said = ((scores.argmax(dim=-1) == answers) | ~real).all(dim=1)
        return [*map(Rating, likely.cpu().split(counts), said.cpu().split(counts))]

    def score(self, episodes: Sequence[Episode], bare: bool = False) -> dict[str, float]:
        """The share of questions whose right answer is the likeliest `choice`, and is what would be said, `exact`."""
        ratings = self.rate(episodes, bare)
        return {
            "choice": sum(rating.likely.argmax().item() == 0 for rating in ratings) / len(ratings),
            "exact": sum(rating.said[0].item() for rating in ratings) / len(ratings),
        }

    # Free answers

    def answer(self, episodes: Sequence[Episode], longest: int = 14, bare: bool = False) -> list[str]:
        """What it says, by greedy decoding, in at most so many tokens."""

        def write(some: list[Episode]) -> list[str]:
            tokens, seeing = self.read(some, bare)
            written = generate(seeing, tokens, longest, temperature=0, end=self.speller.end)[:, tokens.shape[1] :]
            return [text.split(END)[0].strip() for text in self.speller.tokenizer.decode_batch(written.tolist())]

        return self.in_batches(episodes, write)
