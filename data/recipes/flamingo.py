"""Trains the Flamingo of lab 10: 7.2 million weights through which the frozen SmolLM2 sees emoji.

Run: python data/recipes/flamingo.py --minutes 6                 (on a GPU; `_run.py` says what else there is)
     python data/recipes/flamingo.py --eye FILE …                (with another CLIP's eye than that of data/pictures)

It learns from episodes of `squint.data.episodes`: never from the style `emojitwo`, never from the 150 concepts that
`split_concepts(0)` holds out. The eye is frozen, so each picture is varied and looked at beforehand, then looked up.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import _run
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from squint import device as devices
from squint import train
from squint.data import album, augment, catalogue, emoji, episodes
from squint.data.episodes import ABSENT, BLANK, Episode, World
from squint.models import flamingo
from squint.models.flamingo import Flamingo
from squint.models.llama import Llama, smollm2
from squint.models.reader import Eye, Reader, Speller, tiles_of

LICENCE = "CC-BY-4.0"
SHOTS = (0, 1, 2, 4, 8)
NOT_LEARNED = -100
VARIED = augment.Strength(share=0.8, shift=0.08, scale=0.15, stretch=0.08, turn=0.12, hue=0.08, colour=0.2)
"""Not mirrored, for there is a left and a right; and not so that a colour would get another name."""


@dataclass(frozen=True)
class Settings(_run.Settings):
    """What a run depends on besides.

    Attributes:
        eye: a CLIP's file; that of data/pictures if empty.
        batch: sequences a step.
        tokens, pictures: in a sequence, at most.
        gates_faster: how much faster the gates move than the rest, for nothing is learned behind a closed one.
        decay: of the matrices.
        variations: of each picture.
        concepts: how many are learned from; all if 0.
        items: in each measure.
    """

    rate: float = 1e-3
    warmup: int = 60
    steps: int = 1_500
    average: float = 0.99
    judge_every: int = 250
    eye: str = ""
    batch: int = 64
    tokens: int = 160
    pictures: int = 14
    gates_faster: float = 5.0
    decay: float = 0.05
    variations: int = 16
    concepts: int = 0
    items: int = 300

    @property
    def eye_file(self) -> Path:
        """Where the eye is."""
        return Path(self.eye) if self.eye else catalogue.path("pictures/clip.safetensors")


# What is given


def language_model(place: torch.device) -> tuple[Llama, Tokenizer]:
    """SmolLM2. On a GPU its matrices are in bf16, which autocast would make of them at every use anyway."""
    lm, tokenizer = smollm2()
    if place.type != "cpu":
        lm = copy.deepcopy(lm).to(place)
    if place.type == "cuda":
        for module in lm.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                module.to(torch.bfloat16)
    return lm, tokenizer


@dataclass
class Varied:
    """What the eye saw in each picture to learn from, in some variations.

    Attributes:
        table: features [variations, pictures, patches, features]; the first variation is the picture as it is, the last
            picture is blank.
        row: of each picture of all, and of the blank one; what is not to be learned from is beyond the table's end.
    """

    table: Tensor
    row: Tensor

    @classmethod
    @torch.no_grad()
    def look(cls, tower: flamingo.Tower, images: Tensor, places: Tensor, variations: int, seed: int) -> Varied:
        """At these places' pictures of all `images`, which have 64 pixels."""
        device = images.device
        row = torch.full((len(images) + 1,), len(places) + 1, device=device)
        row[places], row[BLANK] = torch.arange(len(places), device=device), len(places)
        chosen = torch.cat([images[places], images.new_zeros(1, *images.shape[1:])])  # nothing opaque: a blank picture
        eye, parts = Eye(tower, torch.ones(1, 3, 32, 32, device=device)), []
        devices.seed(seed)
        for variation in range(variations):
            for some in chosen.split(1_024):
                rgba = some.float() / 255
                rgba = torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], dim=1)
                if variation:
                    rgba = augment.vary(rgba, torch.zeros(len(rgba), dtype=torch.bool, device=device), VARIED)
                seen = eye.look(F.avg_pool2d(augment.on_background(rgba), 2))
                parts.append(seen.bfloat16() if device.type == "cuda" else seen)
        return cls(torch.cat(parts).unflatten(0, (variations, len(chosen))), row)

    def features(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """Of each tile in any of its variations, and which tiles are there."""
        variation = torch.randint(len(self.table), tiles.shape, device=tiles.device)
        return self.table[variation, self.row[tiles.clamp(min=BLANK)]], tiles != ABSENT


class Learner(nn.Module):
    """What learns, and nothing else: so a step keeps, averages and saves no frozen language model.

    Called with a batch it returns the mean surprise at each token of the answers.
    """

    def __init__(self, model: Flamingo, varied: Varied):
        super().__init__()
        self.resampler, self.cross = model.resampler, model.cross
        self.beside = (model, varied)  # in a tuple, so that they are no part of this module

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """The loss of a batch."""
        model, varied = self.beside
        states = model.states(batch["tokens"], model.look(*varied.features(batch["tiles"])))
        rows = torch.arange(len(states), device=states.device)[:, None]
        logits = model.lm.logits(states[rows, batch["before"]]).float()
        return F.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=NOT_LEARNED)


@dataclass
class Given:
    """All that a run learns from and is judged with; `images` are all emoji, 64 pixels and not yet on white."""

    model: Flamingo
    tower: flamingo.Tower
    tokenizer: Tokenizer
    images: Tensor
    worlds: dict[str, World]

    def reader(self, model: Flamingo | None = None) -> Reader:
        """Who answers questions, with pictures that are not varied."""
        eye = Eye(self.tower, emoji.load(32).rgb().to(self.images.device))
        return Reader(model or self.model, eye, self.tokenizer, 64 if self.images.is_cuda else 8)


def to_learn_from(world: World, concepts: int = 0) -> World:
    """So many concepts of a world, all if 0, without the pictures that are near twins of test pictures."""
    twins = set(album.on(torch.device("cpu")).purpose["twins"].tolist())
    picture = [{style: place for style, place in each.items() if place not in twins} for each in world.picture]
    return replace(world, picture=picture, allowed=world.allowed[:: len(world.allowed) // concepts if concepts else 1])


def prepare(settings: Settings) -> Given:
    """Language model, eye and pictures, and a Flamingo that has learned nothing."""
    place = devices.pick()
    lm, tokenizer = language_model(place)
    tower, everything = flamingo.load_eye(settings.eye_file).to(place), emoji.load(64)
    worlds = episodes.worlds(everything)
    worlds["learn"] = to_learn_from(worlds["learn"], settings.concepts)
    patches, features = Eye(tower, torch.ones(1, 3, 32, 32, device=place)).table.shape[1:]
    devices.seed(settings.seed)
    config = flamingo.Config(Speller(tokenizer).picture, features, patches)
    return Given(Flamingo(lm, config).to(place), tower, tokenizer, everything.images.to(place), worlds)


# Learning


def pack(speller: Speller, draw: Callable[[], Episode], settings: Settings) -> tuple[list[int], list[int], Episode]:
    """Episodes one after the other until nothing more fits, as GPT-3 packs its texts (Brown et al. 2020, B).

    Returns the tokens, the places of those that come right before one that is to be learned, and the turns.
    """
    tokens, before, turns, pictures = [], [], [], 0
    while True:
        tokens.append(speller.begin)
        for turn in draw():
            prompt, answer = speller.turn(turn)
            pictures += bool(turn.tiles)
            if len(tokens) + len(prompt) + len(answer) > settings.tokens or pictures > settings.pictures:
                return tokens, before, turns
            tokens += [*prompt, *answer]
            if turn.known:
                before += range(len(tokens) - len(answer) - 1, len(tokens) - 1)
            turns.append(turn)
        if len(tokens) == settings.tokens:
            return tokens, before, turns


def batch(speller: Speller, world: World, settings: Settings, step: int) -> dict[str, Tensor]:
    """The sequences of a step, which follow from its number and the seed; one row each, filled up at the end."""
    chance = random.Random(f"{settings.seed}, {step}")
    rows = [pack(speller, lambda: episodes.episode(world, chance), settings) for _ in range(settings.batch)]
    tokens, before = (pad_sequence([torch.tensor(row[i]) for row in rows], batch_first=True) for i in (0, 1))
    real = pad_sequence([torch.ones(len(row[1]), dtype=torch.bool) for row in rows], batch_first=True)
    labels = tokens.gather(1, before + 1).masked_fill(~real, NOT_LEARNED)
    return {"tokens": tokens, "before": before, "labels": labels, "tiles": tiles_of([row[2] for row in rows])}


def groups(learner: Learner, settings: Settings) -> list[dict[str, Any]]:
    """For AdamW: only matrices decay, and gates move faster."""
    named = dict(learner.named_parameters())
    gates = [p for name, p in named.items() if name.endswith("gate.gate")]
    rest = [p for name, p in named.items() if p.ndim < 2 and not name.endswith("gate.gate")]
    return [
        {"params": [p for p in named.values() if p.ndim >= 2], "weight_decay": settings.decay},
        {"params": rest, "weight_decay": 0.0},
        {"params": gates, "weight_decay": 0.0, "lr": settings.rate * settings.gates_faster},
    ]


def make_learner(settings: Settings, given: Given) -> Learner:
    """What learns, beside what it is to look up."""
    learn = given.worlds["learn"]
    places = torch.tensor(sorted({place for concept in learn.allowed for place in learn.pictures(concept)}))
    varied = Varied.look(given.tower, given.images, places.to(given.images.device), settings.variations, settings.seed)
    given.model.resampler.standardise.measure(varied.table[0])
    return Learner(given.model, varied)


def make_step(settings: Settings, given: Given) -> train.ModelStep:
    """What learns, with its optimiser."""
    learner = make_learner(settings, given)
    optimiser = torch.optim.AdamW(groups(learner, settings), lr=settings.rate, betas=(0.9, 0.98))
    return train.ModelStep(learner, lambda model, batch: model(batch), optimiser, average=settings.average)


def in_half(place: torch.device) -> torch.autocast:
    """Half precision on a GPU, and only there."""
    return torch.autocast(place.type, torch.bfloat16, enabled=place.type == "cuda")


def learn(
    settings: Settings, home: Path, minutes: float | None = None, also: Callable[[int, Tensor], None] | None = None
) -> tuple[train.ModelStep, Given, train.History]:
    """Train from the last save, if there is one, until the steps or the minutes are over; `also` watches as well."""
    given = prepare(settings)
    step, speller, run = make_step(settings, given), Speller(given.tokenizer), home / "run.safetensors"
    reader, look = given.reader(), min(settings.items, 100)

    def epoch(number: int) -> Iterator[dict[str, Tensor] | None]:
        done = int(safe_open(run, "pt").metadata()["steps"]) if run.exists() else 0
        # What was learned already is counted, but not drawn again.
        yield from itertools.repeat(None, done)
        yield from (batch(speller, given.worlds["learn"], settings, i) for i in itertools.count(done))

    def judge(model: nn.Module) -> dict[str, float]:
        with in_half(given.images.device):
            return {
                f"{task}, {shots} shots": reader.score(
                    episodes.to_judge_by(task, given.worlds["seen"], shots, look)
                )["choice"]
                for task, shots in (("caption", 0), ("count", 0), ("binding of two", 2))
            }  # fmt: skip

    return step, given, _run.learn(settings, step, epoch, judge, home, minutes, also)


# Measuring


def measure(reader: Reader, worlds: dict[str, World], items: int) -> dict[str, Any]:
    """Every task by the number of shots; without a picture; and how readily it says yes."""
    found: dict[str, Any] = {"items": items}
    for split, shots in (("unseen style", SHOTS), ("unseen concepts", SHOTS), ("seen", (0, 4))):
        found[split] = {task: by_shots(reader, worlds[split], task, shots, items) for task in episodes.TO_JUDGE_BY}
    world = worlds["unseen style"]
    found["without picture"] = {
        str(shots): {task: blind(reader, world, task, shots, items) for task in episodes.TO_JUDGE_BY}
        for shots in (0, 4)
    }
    wordings = episodes.Presence.wordings + episodes.Presence.leading
    found["yes"] = {wording: says_yes(reader, world, wording, items) for wording in wordings}
    return found


def by_shots(reader: Reader, world: World, task: str, shots: tuple[int, ...], items: int) -> dict[str, Any]:
    """How often the right answer is the likeliest choice, and how often it is what is said."""
    found: dict[str, Any] = {"choice": {}, "exact": {}}
    for number in shots:
        asked = episodes.to_judge_by(task, world, number, items)
        found["chance"] = rounded(1 / len(asked[0][-1].choices))
        for name, share in reader.score(asked).items():
            found[name][str(number)] = rounded(share)
    return found


def blind(reader: Reader, world: World, task: str, shots: int, items: int) -> dict[str, Any]:
    """What becomes of a task when the question's picture is blank, or nothing is seen at all."""
    asked = episodes.to_judge_by(task, world, shots, items)
    white = [[*turns[:-1], turns[-1].blank()] for turns in asked]
    said = {"seen": reader.answer(asked), "blank": reader.answer(white)}
    labels = {concept.label for concept in world.concepts}

    def answered(texts: list[str]) -> float:
        counted = (is_answer(text, task, labels, turns) for text, turns in zip(texts, asked, strict=True))
        return rounded(sum(counted) / items)

    return {
        "seen": rounded(reader.score(asked)["choice"]),
        "blank": rounded(reader.score(white)["choice"]),
        "language model alone": rounded(reader.score(asked, bare=True)["choice"]),
        "commonest answer": rounded(Counter(turns[-1].answer for turns in asked).most_common(1)[0][1] / items),
        "answers anyway": {name: answered(texts) for name, texts in said.items()},
        "commonest when blank": Counter(said["blank"]).most_common(3),
    }  # fmt: skip


def is_answer(text: str, task: str, labels: set[str], turns: Episode) -> bool:
    """Whether it names something that could be an answer, right or wrong; else it declines, or is no answer at all."""
    if task == "two":
        parts = text.split(" and ")
        halves = ((" and ".join(parts[:i]), " and ".join(parts[i:])) for i in range(1, len(parts)))
        return any(a in labels and b in labels for a, b in halves)
    if task == "odd caption":
        return any(label.lower() in text.lower() for label in labels)
    if task == "kind":
        return text in episodes.KINDS
    return text in (labels if task in ("caption", "side") else {choice.strip() for choice in turns[-1].choices})


def says_yes(reader: Reader, world: World, wording: str, items: int) -> dict[str, float]:
    """How often "yes" is likelier than "no", where it would be right and where not, and of a white picture."""
    found = {}
    for there in (True, False):
        make = partial(episodes.Presence, wording=wording, there=there)
        asked = episodes.to_judge_by(make, world, 0, items)
        for name, shown in (("", asked), (", blank", [[turns[-1].blank()] for turns in asked])):
            right = reader.score(shown)["choice"]
            found[("there" if there else "not there") + name] = rounded(right if there else 1 - right)
    return found


def rounded(share: float) -> float:
    """To four digits."""
    return round(share, 4)


def limits(metrics: dict[str, Any]) -> list[str]:
    """What the measures say that it cannot do."""
    style, blank, yes = metrics["unseen style"], metrics["without picture"]["0"], metrics["yes"]
    there, side, caption = (style[task] for task in ("presence", "side", "caption"))
    anyway = min(row["answers anyway"]["blank"] for task, row in blank.items() if not task.startswith("binding"))
    plain, worst = episodes.Presence.wordings[0], max(yes, key=lambda wording: yes[wording]["not there"])
    return [
        f"Whether a thing is there: {there['choice']['0']:.2f} right; which of two is on a side: "
        f"{side['choice']['0']:.2f}; guessing gives .50 (unseen style, no shots).",
        f"Of white pictures {anyway:.0%} at least are answered all the same (made-up names aside); of ten captions the "
        f"right one is then the likeliest in {blank['caption']['blank']:.2f}.",
        f"Asked about a thing that is not there it says yes to “{plain}” in {yes[plain]['not there']:.2f}, and to "
        f"“{worst}” in {yes[worst]['not there']:.2f}.",
        f"In the unseen style the right caption is the likeliest of ten in {caption['choice']['0']:.2f}, but what it "
        f"says is that very name in {caption['exact']['0']:.2f} only.",
    ]


# Writing


def eye_alone(file: Path) -> bytes:
    """The picture tower of a CLIP's file, as it is there."""
    with safe_open(file, "pt") as opened:
        config = json.loads(opened.metadata()["about"])["config"]
        weights = {name: opened.get_tensor(name) for name in opened.keys() if name.startswith("image.")}  # noqa: SIM118
    return save(weights, {"format": "pt", "about": json.dumps({"config": config})})


def about_it(config: flamingo.Config, model: Flamingo) -> dict[str, Any]:
    """What every card of it says."""
    return {
        "name": "Flamingo on emoji", "licence": LICENCE, "made_by": "recipes/flamingo.py",
        "data": "episodes of squint.data.episodes: pictures and labels of six emoji sets (all but emojitwo)",
        "frozen": "SmolLM2-135M-Instruct (Apache-2.0, cache/smollm2.safetensors) and eye.safetensors; neither is in "
        "flamingo.safetensors",
        "never_seen": "the style emojitwo, the 150 concepts of split_concepts(0) in any style, near twins of either",
        "parameters": sum(value.numel() for value in model.adapter().values()),
        "config": asdict(config), "gates": {place: [*map(rounded, pair)] for place, pair in model.openings().items()},
    }  # fmt: skip


def export(settings: Settings, step: train.ModelStep, given: Given, done: int, home: Path) -> dict[str, Any]:
    """Write weights, averaged and in half precision, the eye, and the card of what these are worth."""
    config, file = given.model.config, home / "flamingo.safetensors"
    with step.averaged():
        weights = {name: value.detach().half().cpu().contiguous() for name, value in given.model.adapter().items()}
    about = {"config": asdict(config), "steps": done}
    file.write_bytes(save(weights, {"format": "pt", "about": json.dumps(about)}))
    (home / "eye.safetensors").write_bytes(eye_alone(settings.eye_file))
    place = given.images.device
    model = flamingo.load(file, given.model.lm).to(place)
    with in_half(place):
        metrics = measure(given.reader(model), given.worlds, settings.items)
    named = replace(settings, eye=settings.eye_file.name)
    return _run.write_card(home, {
        **about_it(config, model),
        "eye": {
            "parameters": sum(p.numel() for p in given.tower.parameters()),
            "clip_sha256": hashlib.sha256(settings.eye_file.read_bytes()).hexdigest(),
        },
        "training": {**_run.training(named, home, done), "sequences": done * settings.batch},
        "metrics": metrics, "limits": limits(metrics),
    })  # fmt: skip


RECIPE = _run.Recipe(
    __file__, Settings, learn, export, title="Flamingo on emoji", licence=LICENCE,
    origin="trained on the pictures of emoji/, all but emojitwo, through a frozen SmolLM2",
    files={
        "flamingo.safetensors": "what was added to SmolLM2: weights, fp16",
        "eye.safetensors": "the picture tower of its CLIP, fp16", "card.json": _run.FILES["card.json"],
    },
)  # fmt: skip

if __name__ == "__main__":
    RECIPE.main()
