"""Questions about pictures of emoji, with examples before them: what a Flamingo learns from and is judged by.

A turn is a picture, a prompt and an answer. An episode is some turns of one task in one wording: the last is the
question, those before it are its shots (Alayrac et al. 2022, §3 and appendix C). As every answer may be learned from,
an episode of nine turns teaches nought to eight shots at once.
"""

from __future__ import annotations

import colorsys
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, TypeAlias

import numpy as np

from squint.data.emoji import Concept, Emoji, split_concepts

UNSEEN_STYLE = "emojitwo"
BLANK, ABSENT = -1, -2
"""In place of an emoji: a tile of nothing but white, and no tile at all."""
TILES = 4
"""The corners of a scene, row by row."""


# What there is to be seen


COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "gray")
NUMBERS = ("one", "two", "three", "four")
KINDS = {
    "mammal": "animal-mammal", "bird": "animal-bird", "reptile": "animal-reptile", "sea animal": "animal-marine",
    "insect": "animal-bug", "flower": "plant-flower", "plant": "plant-other", "fruit": "food-fruit",
    "vegetable": "food-vegetable", "meal": "food-prepared food-asian", "dessert": "food-sweet", "drink": "drink",
    "building": "place-building place-religious", "vehicle": "transport-ground", "boat": "transport-water",
    "aircraft": "transport-air", "clock": "time", "weather": "sky-weather", "award": "award-medal", "sport": "sport",
    "game": "game", "clothing": "clothing", "heart": "heart", "music": "music", "instrument": "musical-instrument",
    "paper": "book-paper", "money": "money", "tool": "tool", "arrow": "arrow", "sign": "zodiac", "shape": "geometric",
    "person": "person-role person-sport person-activity person-gesture person-fantasy person", "family": "family",
    "hand": "hand-fingers-open hand-fingers-partial hand-single-finger hand-fingers-closed hands", "cat": "cat-face",
    "face": "face-smiling face-affection face-tongue face-neutral-skeptical face-unwell face-concerned face-negative "
    "face-sleepy",
}  # fmt: skip
"""A word for what kind of thing a concept is, and the subgroups of emoji that are of it."""
KIND_OF = {subgroup: kind for kind, subgroups in KINDS.items() for subgroup in subgroups.split()}
COUNTABLE = ("animals-nature", "food-drink", "travel-places", "activities", "objects")
IRREGULAR = {"mouse": "mice", "sheep": "sheep", "fish": "fish", "wolf": "wolves", "leaf": "leaves", "knife": "knives"}


def is_countable(concept: Concept) -> bool:
    """Whether one can ask for "a …" and count it: short names of things, in the singular."""
    label = concept.label
    plain = all(c.isalpha() or c in " -" for c in label) and label == label.lower() and len(label.split()) <= 2
    singular = not label.endswith("s") or label.endswith(("ss", "us"))
    return concept.group in COUNTABLE and plain and singular and concept.subgroup not in ("sky-weather", "time")


def one(label: str) -> str:
    """With its article."""
    return f"an {label}" if label[0] in "aeiou" and not label.startswith(("uni", "one", "eu")) else f"a {label}"


def many(label: str) -> str:
    """In the plural."""
    *before, last = label.split(" ")
    if last in IRREGULAR:
        return " ".join([*before, IRREGULAR[last]])
    if label.endswith(("s", "x", "ch", "sh")):
        return f"{label}es"
    return f"{label[:-1]}ies" if label.endswith("y") and label[-2] not in "aeiou" else f"{label}s"


def main_colour(image: np.ndarray) -> str | None:
    """The name of a picture's colour (4 × h × w, 0 to 255), if six tenths of it or more have one and the same."""
    names = [name_colour(*pixel[:3]) for pixel in image[:, 4::8, 4::8].reshape(4, -1).T / 255 if pixel[3] > 0.5]
    best = max(set(names), key=names.count) if names else None
    return best if best and names.count(best) >= 0.6 * len(names) else None


def name_colour(red: float, green: float, blue: float) -> str | None:
    """A word for a colour, roughly; none for white."""
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    degrees = 360 * hue
    if value < 0.25:
        return "black"
    if saturation < 0.18:
        return "gray" if value < 0.8 else None
    if degrees < 45 and value < 0.72:
        return "brown"
    if (degrees > 290 or degrees < 12) and saturation < 0.55 and value > 0.75:
        return "pink"
    edges = [(12, "red"), (38, "orange"), (68, "yellow"), (165, "green"), (255, "blue"), (290, "purple"), (335, "pink")]
    return next((name for edge, name in edges if degrees < edge), "red")


def made_up_names(number: int, seed: int) -> list[str]:
    """Words that nobody has heard: two syllables."""
    chance, names = random.Random(seed), set[str]()
    while len(names) < number:
        syllables = "".join(chance.choice("bdfgklmnprtvwz") + chance.choice("aeiou") for _ in range(2))
        names.add(syllables + chance.choice("xklnprt"))
    return sorted(names)


@dataclass(frozen=True)
class Format:
    """An unusual way to write a caption; `{}` stands for the name."""

    pattern: str
    case: Callable[[str], str] = str

    def __call__(self, label: str) -> str:
        """A caption as an answer."""
        return f" {self.pattern.replace('{}', self.case(label))}"


def formats_to_learn() -> list[Format]:
    """Many of them: beginnings times surroundings times cases, but for the plain name."""
    before = ["label = ", "it is ", "=> ", "see: ", "one ", "emoji of ", "behold, ", "name: ", "- ", "I spy ", "this: "]
    around = ["[{}]", '"{}"', "*{}*", "({})", "{}!", "{}...", "<{}>", "{}, of course", "{} (drawn)", "/{}/", "{}; next"]
    patterns = [b + a for b in ["", *before] for a in [*around, "{}"]]
    ways = [Format(pattern, case) for pattern in patterns for case in (str, str, str.upper, str.title)]
    return [way for way in ways if way != Format("{}")]


FORMATS_TO_JUDGE_BY = [
    Format(pattern) for pattern in ("Exhibit: ~{}~", "we saw {} today", "{{}}", "# {} #", "no. 1: {} indeed")
]
"""Others: neither beginning nor ending was learned from."""


@dataclass
class World:
    """What may be drawn.

    Attributes:
        concepts: of all emoji.
        picture: for each concept, the places of its pictures by style.
        colour: of each picture, if it has one.
        allowed: concepts to draw; those that no allowed style has are left out.
        styles: to draw them in.
        asked_styles: to draw in what is asked about.
        names: made-up words.
        formats: unusual ways to write a caption.
        countable, kinds, coloured: the allowed concepts that can be counted, are of a known kind, have a colour.
    """

    concepts: list[Concept]
    picture: list[dict[str, int]]
    colour: list[str | None]
    allowed: list[int]
    styles: tuple[str, ...]
    asked_styles: tuple[str, ...]
    names: list[str]
    formats: list[Format]
    countable: list[int] = field(init=False)
    kinds: list[int] = field(init=False)
    coloured: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.allowed = [c for c in self.allowed if all(self.pictures(c, asked) for asked in (False, True))]
        self.countable = [c for c in self.allowed if is_countable(self.concepts[c])]
        self.kinds = [c for c in self.allowed if self.concepts[c].subgroup in KIND_OF]
        self.coloured = [c for c in self.allowed if any(self.colour[i] for i in self.pictures(c, asked=True))]

    def pictures(self, concept: int, asked: bool = False) -> list[int]:
        """A concept's pictures in the styles of questions or of shots."""
        return [self.picture[concept][style] for style in self.styles_of(asked) if style in self.picture[concept]]

    def styles_of(self, asked: bool) -> tuple[str, ...]:
        """In which questions are drawn, or shots."""
        return self.asked_styles if asked else self.styles

    def label(self, concept: int) -> str:
        """Its name."""
        return self.concepts[concept].label


def worlds(emoji: Emoji) -> dict[str, World]:
    """What may be drawn to `learn` from; and to judge by, with other names and formats, from three sides.

    `seen` has the concepts and styles that are learned from, `unseen style` asks about pictures in `emojitwo`, `unseen
    concepts` about those that `squint.data.emoji.split_concepts(0)` holds out. `emoji` are all of 64 pixels.
    """
    picture: list[dict[str, int]] = [{} for _ in emoji.concepts]
    for place, (concept, style) in enumerate(zip(emoji.concept.tolist(), emoji.style.tolist(), strict=True)):
        picture[concept].setdefault(emoji.styles[style], place)
    styles = tuple(style for style in emoji.styles if style != UNSEEN_STYLE)
    colour = [main_colour(image) for image in emoji.images.numpy()]
    kept, held_out = (part.tolist() for part in split_concepts(0))
    names = made_up_names(3_000, seed=0)
    learn = World(emoji.concepts, picture, colour, kept, styles, styles, names, formats_to_learn())
    others = sorted(set(made_up_names(500, seed=1)) - set(names))
    seen = replace(learn, names=others, formats=FORMATS_TO_JUDGE_BY)
    unseen_style = replace(seen, asked_styles=(UNSEEN_STYLE,))
    return {
        "learn": learn, "seen": seen, "unseen style": unseen_style, "unseen concepts": replace(seen, allowed=held_out),
    }  # fmt: skip


# Turns, and tasks that make them


@dataclass(frozen=True)
class Turn:
    """A picture, a prompt, an answer.

    Attributes:
        tiles: places of emoji, or `BLANK`: one for a picture of one emoji, four for a scene; none if it is about the
            picture that is already there.
        prompt, answer: the text; the answer begins with a space.
        choices: answers that could be right, the right one first.
        known: whether the answer can be known, and so is to be learned.
    """

    tiles: tuple[int, ...]
    prompt: str
    answer: str
    choices: tuple[str, ...] = ()
    known: bool = True

    def blank(self) -> Turn:
        """The same question about white paper."""
        return replace(self, tiles=(BLANK,) * len(self.tiles))


Episode: TypeAlias = list[Turn]


def qa(question: str) -> str:
    """As Flamingo is asked."""
    return f"Question: {question} Answer:"


def choices(words: Sequence[str]) -> tuple[str, ...]:
    """Words as answers."""
    return tuple(f" {word}" for word in words)


class Task:
    """Turns of one kind, in one wording."""

    wordings: ClassVar[tuple[str, ...]]

    def __init__(self, world: World, chance: random.Random, wording: str = ""):
        self.world, self.chance = world, chance
        self.wording = wording or chance.choice(self.wordings)

    def turn(self, asked: bool = False) -> Turn:
        """The next; `asked` if it is the question and not a shot."""
        raise NotImplementedError

    def draw(self, concept: int, asked: bool) -> int:
        """A picture of it."""
        return self.chance.choice(self.world.pictures(concept, asked))

    def others(self, right: int, number: int, among: Sequence[int] | None = None) -> list[int]:
        """Other concepts than the right one, all different."""
        chosen: list[int] = []
        while len(chosen) < number:
            other = self.chance.choice(self.world.allowed if among is None else among)
            if other != right and other not in chosen:
                chosen.append(other)
        return chosen

    def named(self, asked: bool, name: Callable[[str], str], known: bool = True) -> Turn:
        """What one emoji is called, against nine other names."""
        concept = self.chance.choice(self.world.allowed)
        labels = tuple(name(self.world.label(c)) for c in (concept, *self.others(concept, 9)))
        return Turn((self.draw(concept, asked),), self.wording, labels[0], labels, known)

    def told(self, place: int, right: str, words: Sequence[str]) -> Turn:
        """What one emoji is, against other words."""
        answers = choices([right, *(word for word in words if word != right)])
        return Turn((place,), self.wording, answers[0], answers)


class Caption(Task):
    """What a picture of one emoji shows."""

    wordings = ("Output:", qa("What is this?"), qa("What does the picture show?"))

    def turn(self, asked: bool = False) -> Turn:
        """Its name."""
        return self.named(asked, " {}".format)


class OddCaption(Task):
    """A caption in a format that only the shots can tell."""

    wordings = ("Output:",)

    def __init__(self, world: World, chance: random.Random, wording: str = ""):
        super().__init__(world, chance, wording)
        self.format, self.shown = chance.choice(world.formats), 0

    def turn(self, asked: bool = False) -> Turn:
        """Its name in that format, which can be known from the second turn on."""
        self.shown += 1
        return self.named(asked, self.format, known=self.shown > 1)


class Kind(Task):
    """What kind of thing it is."""

    wordings = (qa("What kind of thing is this?"), qa("What is it, in general?"))

    def turn(self, asked: bool = False) -> Turn:
        """A word of `KINDS`, against seven others."""
        concept = self.chance.choice(self.world.kinds)
        right = KIND_OF[self.world.concepts[concept].subgroup]
        others = self.chance.sample([kind for kind in KINDS if kind != right], 7)
        return self.told(self.draw(concept, asked), right, others)


class Colour(Task):
    """What colour most of it has."""

    wordings = (qa("What color is it?"), qa("Which color is this?"))

    def turn(self, asked: bool = False) -> Turn:
        """A word of `COLOURS`."""
        while True:
            place = self.draw(self.chance.choice(self.world.coloured), asked)
            if right := self.world.colour[place]:
                return self.told(place, right, COLOURS)


class Binding(Task):
    """Fast binding: things get made-up names, and a name is asked for (Tsimpoukelli et al. 2021, §4.2).

    Pictures of one thing are by different artists. A name can be known once its thing was shown.
    """

    wordings = ("This is a", qa("What is this called?"), "Output:")

    def __init__(self, world: World, chance: random.Random, wording: str = "", number: int = 0):
        super().__init__(world, chance, wording)
        self.number = number or chance.choice((2, 3))
        first = chance.choice(world.allowed)
        self.concepts = [first, *self.others(first, self.number - 1)]
        self.names = chance.sample(world.names, self.number)
        self.artists: list[set[str]] = [set() for _ in self.concepts]
        # Each of them once, in any order; after that, whichever.
        self.order = chance.sample(range(self.number), self.number)

    def turn(self, asked: bool = False) -> Turn:
        """A picture of one of the things, and its name."""
        which = self.chance.randrange(self.number) if asked or not self.order else self.order.pop()
        known = bool(self.artists[which])
        return replace(self.told(self.draw_anew(which, asked), self.names[which], self.names), known=known)

    def draw_anew(self, which: int, asked: bool) -> int:
        """A picture of it by an artist who has not drawn it yet, if there is one."""
        pictures, drawn = self.world.picture[self.concepts[which]], self.artists[which]
        has = [style for style in self.world.styles_of(asked) if style in pictures]
        style = self.chance.choice([style for style in has if artist(style) not in drawn] or has)
        drawn.add(artist(style))
        return pictures[style]


def artist(style: str) -> str:
    """Who drew it: two styles of one artist may show nearly the same picture."""
    return "fluent" if style.startswith("fluent") else style


# Scenes of several


@dataclass(frozen=True)
class Scene:
    """Four tiles, row by row, each with a concept or nothing."""

    concepts: tuple[int | None, ...]
    tiles: tuple[int, ...]

    @property
    def shown(self) -> list[int]:
        """The concepts, as they are read."""
        return [concept for concept in self.concepts if concept is not None]

    @property
    def corners(self) -> tuple[int, ...]:
        """Where they are."""
        return tuple(i for i, concept in enumerate(self.concepts) if concept is not None)


ROWS, COLUMNS = ((0, 1), (2, 3)), ((0, 2), (1, 3))
SIDES = {"left": 0, "right": 1, "top": 0, "bottom": 1}


class SceneTask(Task):
    """A question about a scene."""

    def turn(self, asked: bool = False) -> Turn:
        """A scene, and what is asked about it."""
        scene = self.scene(asked)
        return self.ask(scene, scene.tiles)

    def ask(self, scene: Scene, tiles: tuple[int, ...]) -> Turn:
        """The question."""
        prompt, words = self.question(scene)
        return Turn(tiles, prompt, f" {words[0]}", choices(words))

    def scene(self, asked: bool) -> Scene:
        """One that can be asked about."""
        raise NotImplementedError

    def question(self, scene: Scene) -> tuple[str, list[str]]:
        """A prompt, and answers, the right one first."""
        raise NotImplementedError

    def fits(self, scene: Scene) -> bool:
        """Whether there is something to be asked."""
        return bool(self.things(scene))

    def things(self, scene: Scene) -> list[int]:
        """What can be counted in it."""
        return [concept for concept in scene.shown if is_countable(self.world.concepts[concept])]

    def set_up(self, wanted: Sequence[int], corners: Sequence[int], asked: bool) -> Scene:
        """These concepts in these corners, by the artist who has drawn most of them; by others what is lacking."""
        styles = list(self.world.styles_of(asked))
        self.chance.shuffle(styles)
        style = max(styles, key=lambda s: sum(s in self.world.picture[c] for c in wanted))
        concepts: list[int | None] = [None] * TILES
        tiles = [BLANK] * TILES
        for concept, corner in zip(wanted, corners, strict=True):
            drawn = self.world.picture[concept].get(style)
            concepts[corner], tiles[corner] = concept, self.draw(concept, asked) if drawn is None else drawn
        return Scene(tuple(concepts), tuple(tiles))

    def pair(self, asked: bool, corners: Sequence[tuple[int, int]]) -> Scene:
        """Two different ones."""
        first = self.chance.choice(self.world.allowed)
        return self.set_up([first, *self.others(first, 1)], self.chance.choice(corners), asked)


class Two(SceneTask):
    """Two side by side, named from left to right."""

    wordings = ("Output:", qa("What do you see, from left to right?"))

    def scene(self, asked: bool) -> Scene:
        """A row of two."""
        return self.pair(asked, ROWS)

    def question(self, scene: Scene) -> tuple[str, list[str]]:
        """Their names, in one order and the other."""
        a, b = (self.world.label(concept) for concept in scene.shown)
        return self.wording, [f"{a} and {b}", f"{b} and {a}"]


class Side(SceneTask):
    """Which of two is on the left, right, at the top or bottom."""

    wordings = ("What is {}?", "Which thing is {}?")

    def scene(self, asked: bool) -> Scene:
        """A row or a column of two."""
        return self.pair(asked, ROWS + COLUMNS)

    def fits(self, scene: Scene) -> bool:
        """Two different ones, in a row or a column."""
        return scene.corners in ROWS + COLUMNS and len(set(scene.shown)) == 2

    def question(self, scene: Scene) -> tuple[str, list[str]]:
        """One of them, and the other."""
        side = self.chance.choice(("left", "right") if scene.corners in ROWS else ("top", "bottom"))
        right, wrong = scene.shown[SIDES[side]], scene.shown[1 - SIDES[side]]
        where = f"on the {side}" if side in ("left", "right") else f"at the {side}"
        return qa(self.wording.format(where)), [self.world.label(right), self.world.label(wrong)]


class Count(SceneTask):
    """How many of a kind there are, with others beside them or not."""

    wordings = ("How many {} are there?", "Count the {}.")

    def scene(self, asked: bool) -> Scene:
        """One to four of a kind."""
        number, concept = self.chance.randint(1, TILES), self.chance.choice(self.world.countable)
        more = self.chance.randint(0, TILES - number) if self.chance.random() < 0.5 else 0
        wanted = [concept] * number + self.others(concept, more)
        return self.set_up(wanted, self.chance.sample(range(TILES), number + more), asked)

    def question(self, scene: Scene) -> tuple[str, list[str]]:
        """A word of `NUMBERS`, the others after it."""
        concept = max(self.things(scene), key=scene.shown.count)
        right = NUMBERS[scene.shown.count(concept) - 1]
        prompt = qa(self.wording.format(many(self.world.label(concept))))
        return prompt, [right, *(number for number in NUMBERS if number != right)]


class Presence(SceneTask):
    """Whether something is there: as often as not, unless `there` says."""

    wordings = ("Is there {}?", "Does the picture show {}?")
    leading: ClassVar = ("There is {}, isn't there?", "You can see {}, right?", "There is {} here, yes?",
                         "Surely there is {}?")  # fmt: skip
    """Wordings that ask for a yes; never learned from."""

    def __init__(self, world: World, chance: random.Random, wording: str = "", there: bool | None = None):
        super().__init__(world, chance, wording)
        self.there = there

    def scene(self, asked: bool) -> Scene:
        """One to four different things."""
        number, concept = self.chance.randint(1, TILES), self.chance.choice(self.world.countable)
        wanted = [concept, *self.others(concept, number - 1, self.world.countable)]
        return self.set_up(wanted, self.chance.sample(range(TILES), number), asked)

    def question(self, scene: Scene) -> tuple[str, list[str]]:
        """Yes or no; half of what is not there is of the same group as something that is."""
        there = self.chance.random() < 0.5 if self.there is None else self.there
        concept = self.chance.choice(self.things(scene))
        if not there:
            group = self.world.concepts[concept].group
            absent = [c for c in self.world.countable if c not in scene.shown]
            alike = [c for c in absent if self.world.concepts[c].group == group]
            concept = self.chance.choice(alike if alike and self.chance.random() < 0.5 else absent)
        return qa(self.wording.format(one(self.world.label(concept)))), ["yes", "no"] if there else ["no", "yes"]


def dialogue(world: World, chance: random.Random, number: int) -> Episode:
    """Several questions about the same scene."""
    kinds: tuple[type[SceneTask], ...] = (Side, Count, Presence)
    scene = chance.choice(kinds)(world, chance).scene(False)
    fitting = [kind for kind in kinds if kind(world, chance).fits(scene)]
    asked = [chance.choice(fitting)(world, chance) for _ in range(number)]
    return [task.ask(scene, () if i else scene.tiles) for i, task in enumerate(asked)]


# Episodes


TO_LEARN: dict[type[Task], float] = {
    Caption: 0.24, OddCaption: 0.12, Kind: 0.06, Colour: 0.05, Two: 0.1, Side: 0.08, Count: 0.09, Presence: 0.09,
    Binding: 0.27,
}  # fmt: skip
"""Tasks that are learned, and how often."""
DIALOGUES = 0.06
"""The share of episodes that are several questions about one scene."""
TO_JUDGE_BY: dict[str, Callable[..., Task]] = {
    "caption": partial(Caption, wording=Caption.wordings[0]),
    "odd caption": OddCaption,
    "two": partial(Two, wording=Two.wordings[1]),
    "count": partial(Count, wording=Count.wordings[0]),
    "presence": partial(Presence, wording=Presence.wordings[0]),
    "side": partial(Side, wording=Side.wordings[0]),
    "colour": partial(Colour, wording=Colour.wordings[0]),
    "kind": partial(Kind, wording=Kind.wordings[0]),
    "binding of two": partial(Binding, wording=Binding.wordings[0], number=2),
    "binding of three": partial(Binding, wording=Binding.wordings[0], number=3),
}
"""Tasks that are measured, each in one wording."""


def episode(world: World, chance: random.Random) -> Episode:
    """One to learn from: a task at random, and up to nine turns of it, or up to three dialogues."""
    if chance.random() < DIALOGUES:
        return [turn for _ in range(chance.randint(1, 3)) for turn in dialogue(world, chance, chance.randint(2, 4))]
    task = chance.choices(list(TO_LEARN), list(TO_LEARN.values()))[0](world, chance)
    least = task.number + 1 if isinstance(task, Binding) else 1
    return [task.turn() for _ in range(chance.randint(least, 9))]


def few_shot(task: Task, shots: int) -> Episode:
    """So many shots, then a question."""
    return [task.turn() for _ in range(shots)] + [task.turn(asked=True)]


def to_judge_by(
    task: str | Callable[..., Task], world: World, shots: int, items: int, seed: int = 0, **options: Any
) -> list[Episode]:
    """So many questions, each after so many shots: the same ones whoever is asked.

    Args:
        task: one of `TO_JUDGE_BY`, or another.
        world: what may be drawn.
        shots, items: how many examples stand before a question, and how many questions there are.
        seed: of all draws.
        options: of the task, such as another wording.
    """
    make = TO_JUDGE_BY[task] if isinstance(task, str) else task
    chances = (random.Random(f"{seed}, {i}, {shots}") for i in range(items))
    return [few_shot(make(world, chance, **options), shots) for chance in chances]
