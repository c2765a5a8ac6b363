"""Seven artists' emoji as one sheet of 64-pixel pictures a style, with names and tags.

Run: python data/recipes/emoji.py            (about three minutes)
     python data/recipes/emoji.py --contact  (also docs/emoji.png: the same concepts in every style, to look at)

Skin tones and flags are left out, and so are the sets whose licence asks for share-alike. Three sets carry a code point
for each picture; noto-v1, fluent-emoji, fxemoji and emojitwo carry only a name, so they are matched by name, first
against the names of the sets that have code points, then against emojibase's labels and Unicode's own names. What the
names got wrong was seen on contact sheets and is listed in WRONG and RENAMED.
"""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import _packages
import _write
from _sheets import COLUMNS, SIZE, sheet

if TYPE_CHECKING:
    from PIL import Image

STYLES = {
    "noto": ("noto", "1.2.9", "Apache-2.0"),
    "noto-v1": ("noto-v1", "1.2.5", "Apache-2.0"),
    "twemoji": ("twemoji", "1.2.5", "CC-BY-4.0"),
    "fluent-emoji": ("fluent-emoji", "1.2.7", "MIT"),
    "fluent-emoji-flat": ("fluent-emoji-flat", "1.2.6", "MIT"),
    "fxemoji": ("fxemoji", "1.2.2", "Apache-2.0"),
    "emojitwo": ("emojione", "1.2.3", "CC-BY-4.0"),
}
NAMED_BY_CODE = ("twemoji", "noto", "fluent-emoji-flat")
NO_GROUP, COMPONENTS, FLAGS = None, 2, 9

WRONG: dict[str, tuple[str, ...]] = {
    "fxemoji": (
        "kiss",  # one face; the concept is a couple
        "pistol",  # a revolver; the concept is a water pistol
        "window",  # a computer's
        "personalcomputer",  # an old one; the concept is a laptop
        "keyboard",  # a piano's
        "heartblue",  # drawn broken in the package
    ),
    # Both are the game's bat and ball under an old name; the concept by that name is the insect.
    "noto-v1": ("cricket",),
    "emojitwo": ("cricket", "up-button"),  # "up-button" is the word UP!, not the arrow
}
"""Drawings whose name leads to a concept they do not show."""
RENAMED: dict[str, str] = {
    "fxemoji": """
    2hearts=1f495 americasglobe=1f30e anger=1f4a2 angry=1f620 anguish=1f627
    anticlockwiseupwardsanddownwardsarrows=1f504 aok=1f44c arrowrightwardsdownwards=2935 arrowrightwardsupwards=2934
    asiaaustraliaglobe=1f30f astonished=1f632 backwithleftwardsarrow=1f519 ballottboxwithballott=1f5f3
    banknotedollar=1f4b5 banknoteeuro=1f4b6 banknotepound=1f4b7 banknoteyen=1f4b4 beachumbrella=26f1
    bellcancellation=1f515 blackdownpointingdoublearrow=23ec blackleftpointingdoublearrow=23ea blackpushpin=1f4cc
    blackrightpointingdoublearrow=23e9 blackrosette=1f3f5 blackskullcrossbones=2620 blackuppointingdoublearrow=23eb
    boar=1f417 bolt=26a1 bookmarktab=1f4d1 boot=1f462 bow=1f380 bowing=1f647 bride=1f470 bullhorn=1f4e2 bunny=1f430
    bunny-ears=1f46f bunnyside=1f407 cat=1f431 catside=1f408 cellphone=1f4f1 chartdownwardstrend=1f4c9
    chartupwardstrend=1f4c8 chartupwardstrendyen=1f4b9 chilipepper=1f336 clap=1f44f clock10oclock=1f559
    clock10thirty=1f565 clock11oclock=1f55a clock11thirty=1f566 clock12oclock=1f55b clock12thirty=1f567
    clock1oclock=1f550 clock1thirty=1f55c clock2oclock=1f551 clock2thirty=1f55d clock3oclock=1f552
    clock3thirty=1f55e clock4oclock=1f553 clock4thirty=1f55f clock5oclock=1f554 clock5thirty=1f560
    clock6oclock=1f555 clock6thirty=1f561 clock7oclock=1f556 clock7thirty=1f562 clock8oclock=1f557
    clock8thirty=1f563 clock9oclock=1f558 clock9thirty=1f564 closedmailboxlowered=1f4ea closedmailboxraised=1f4eb
    coldsweat=1f630 confetti=1f38a confounded=1f616 confused=1f615 construct=1f477 construction=1f3d7
    constructionsign=1f6a7 controlknob=1f39b cop=1f46e couple=1f491 couplekiss=1f48f crossmark=274c crying=1f622
    dash=1f4a8 devilhorns=1f608 diamondshapewithdotinside=1f4a0 disappointed=1f61e dissapointedrelief=1f625
    dog=1f436 dogside=1f415 doubleexclaimationmark=203c dragonhead=1f432 dragonside=1f409
    endwithleftwardsarrow=1f51a envelopedownarrowabove=1f4e9 europeafricaglobe=1f30d evergreen=1f332
    exclaimationquestionmark=2049 expressionless=1f611 fallingleaf=1f342 fearful=1f628 fishcakeswirl=1f365
    fistedhand=1f44a flexbicep=1f4aa flushed=1f633 flyingenvelope=1f4e8 frown=1f64d frownmouth=1f626 gem=1f48e
    girlgirl=1f46d girlguy=1f46b gma=1f475 gpa=1f474 grimacing=1f62c grin=1f601 grineyes=1f604 grinsquint=1f606
    grinsweat=1f605 grintears=1f602 grinwide=1f600  guapimao=1f472 guyguy=1f46c halo=1f607
    hampster=1f439 hand=270b handheldvideocamera=1f4f9 hands=1f64c handup=1f64b headmassage=1f486 heartarrow=1f498
     hearteyes=1f60d heartgreen=1f49a heartpurple=1f49c heartribbon=1f49d heartyellow=1f49b
    heavylatincross=271d heels=1f460 highbrightness=1f506 highspeedtrainbulletnose=1f685 hourglassflowingsand=23f3
    hushed=1f62f japaneseangrymask=1f479 kissclosedeyes=1f61a kisseyes=1f619 kissing=1f617 leaffluttering=1f343
    leftangerbubble=1f5ef leftmagnifyingglass=1f50d leftspeechbubble=1f5e8 leopardside=1f406 lips=1f444
    loudlycrying=1f62d  lowbrightness=1f505 lowerleftpencil=270f mahjong=1f004 makeupbag=1f45d
    manltepiececlock=1f570 medicalmask=1f637 mensrunner=1f45f mensshoe=1f45e meridianglobe=1f310
    monkeyhear=1f649 monkeysee=1f648 monkeyspeak=1f64a mouse=1f42d mouseside=1f401 neutral=1f610 nogesture=1f645
    nomouth=1f636 nooneunder18symbol=1f51e okgesture=1f646 onarrowleftright=1f51b openmailboxlowered=1f4ed
    openmailboxraised=1f4ec openmouth=1f62e outbox=1f4e4 pensive=1f614 perservere=1f623 pigside=1f416 pigsnout=1f43d
    pinkwallet=1f45b poo=1f4a9 potablewatersystem=1f6b0 pout=1f64e pouting=1f621 pray=1f64f present=1f381
    racecar=1f3ce raincloud=1f327 relieved=1f60c reminder=1f397 rightmagnifyingglass=1f50e running=1f3c3
    saggitarius=2650 sandals=1f461 screamfear=1f631 silhouetteohjapan=1f5fe sixpointedstarwithdot=1f52f
    sleeping=1f634 sleepy=1f62a sleuthspy=1f575 smallfrown=1f641 smallsmile=1f642 smileeyes=1f60a smiletongue=1f60b
    smirk=1f60f snowcloud=1f328 snowmountains=1f3d4 soonwithrightarrow=1f51c spurtingwhale=1f433 squaredup=1f199
    stormcloud=26c8 studiomic=1f399 sunglasses=1f60e sunraincloud=1f326 sunrays=1f31e sweat=1f613 sweatsplash=1f4a6
    swimming=1f3ca ten=1f51f tennisball=1f3be thoughtbaloon=1f4ad tie=1f454 tiger=1f42f tigerside=1f405 tired=1f62b
    tongueout=1f61b tongueoutwink=1f61c tongueoutwink2=1f61d topwithupwardsarrow=1f51d toykotower=1f5fc
    triumph=1f624 turban=1f473 umbrella=1f302 unamused=1f612 videocasette=1f4fc waitress=1f481 walking=1f6b6
    waningbibbousmoon=1f316 wave=1f30a waving=1f44b weary=1f629  whitemediumstar=2b50
    whitesun=2600 winking=1f609 wiredkeyboard=2328 womansshirt=1f45a worried=1f61f
    """,
}
"""Drawings whose name is the set's own or has changed its meaning, by code point."""


def plain(hexcode: str) -> str:
    """A code point sequence in lower case without the variation selector, which the sets use differently."""
    return "-".join(part for part in hexcode.lower().split("-") if part != "fe0f")


def slug(name: str) -> str:
    """A name in the sets' manner: lower case, hyphens, no apostrophes."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"['’]", "", name.lower())).strip("-")


class IconSet:
    """One set's drawings by their names."""

    def __init__(self, style: str) -> None:
        package, version, _ = STYLES[style]
        folder = _packages.npm(f"@iconify-json/{package}", version)
        self.icons = json.loads((folder / "icons.json").read_text("utf-8"))
        self.codes = {plain(k): v for k, v in json.loads((folder / "chars.json").read_text("utf-8")).items()}
        self.names = [*self.icons["icons"], *self.icons.get("aliases", {})]

    def svg(self, name: str) -> str | None:
        """The drawing ``name``, SIZE pixels wide and high; None if it is only another one turned or mirrored."""
        while name not in self.icons["icons"]:
            alias = self.icons.get("aliases", {}).get(name)
            if alias is None or {"rotate", "hFlip", "vFlip"} & set(alias):
                return None
            name = alias["parent"]
        icon = self.icons["icons"][name]
        box = [icon.get("left", 0), icon.get("top", 0)]
        box += [icon.get(side, self.icons.get(side, 16)) for side in ("width", "height")]
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{" ".join(map(str, box))}" width="{SIZE}" height="{SIZE}">{icon["body"]}</svg>'
        )


def concepts(emojibase: Path) -> dict[str, dict]:
    """What there is to draw, in the order of the emoji keyboard, without skin tones, flags and components."""
    names = json.loads((emojibase / "meta/groups.json").read_text("utf-8"))
    rows = sorted(json.loads((emojibase / "en/data.json").read_text("utf-8")), key=lambda row: row.get("order", 0))
    return {
        plain(row["hexcode"]): {
            "hexcode": plain(row["hexcode"]),
            "label": row["label"],
            "tags": row.get("tags", []),
            "group": names["groups"][str(row["group"])],
            "subgroup": names["subgroups"][str(row["subgroup"])],
            "emoji": row["emoji"],
        }
        for row in rows
        if row.get("group") not in (NO_GROUP, COMPONENTS, FLAGS)
    }


def matches(sets: dict[str, IconSet], known: dict[str, dict], emojibase: Path) -> dict[str, dict[str, str]]:
    """For every style, the name of the drawing of each concept it has."""
    by_name: dict[str, str] = {}
    for style in NAMED_BY_CODE:
        for code, name in sets[style].codes.items():
            by_name.setdefault(name, code)
    for code, concept in known.items():
        by_name.setdefault(slug(concept["label"]), code)
    for code, name in json.loads((emojibase / "meta/unicode-names.json").read_text("utf-8")).items():
        by_name.setdefault(slug(name), plain(code))
    joined = {name.replace("-", ""): code for name, code in reversed(by_name.items())}
    found: dict[str, dict[str, str]] = {}
    for style, icons in sets.items():
        renamed = dict(pair.split("=") for pair in RENAMED.get(style, "").split())
        codes = dict(icons.codes)
        for name in () if codes else icons.names:
            code = by_name.get(name) or joined.get(name.replace("-", ""))
            if code and name not in WRONG.get(style, ()) and name not in renamed:
                codes.setdefault(code, name)
        for name, code in renamed.items():
            codes.setdefault(code, name)
        found[style] = {code: codes[code] for code in known if code in codes and icons.svg(codes[code])}
    return found


def draw(svg: str) -> Image.Image | None:
    """A drawing as SIZE × SIZE RGBA; None if nothing is to be seen."""
    import resvg_py
    from PIL import Image

    picture = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGBA")
    if picture.size != (SIZE, SIZE):
        picture.thumbnail((SIZE, SIZE), Image.Resampling.LANCZOS)
        canvas = Image.new("RGBA", (SIZE, SIZE))
        canvas.paste(picture, ((SIZE - picture.width) // 2, (SIZE - picture.height) // 2))
        picture = canvas
    return picture if picture.getextrema()[3][1] else None


def without_twins(pictures: dict[str, Image.Image], known: dict[str, dict]) -> dict[str, Image.Image]:
    """Each picture once: where a set draws several concepts alike, the one with the shortest label keeps it.

    Else a concept held out for a test would be seen in training under another name.
    """
    owner: dict[bytes, str] = {}
    for code, picture in pictures.items():
        first = owner.setdefault(picture.tobytes(), code)
        if len(known[code]["label"]) < len(known[first]["label"]):
            owner[picture.tobytes()] = code
    kept = set(owner.values())
    return {code: picture for code, picture in pictures.items() if code in kept}


def contact_sheet(drawn: dict[str, dict[str, Image.Image]], shown: list[str]) -> Image.Image:
    """The concepts ``shown`` side by side, one style a row, on the course's warm white."""
    from PIL import Image

    gap, margin = 12, 20
    step = SIZE + gap
    size = (2 * margin + len(shown) * step - gap, 2 * margin + len(drawn) * step - gap)
    card = Image.new("RGBA", size, "#fffdf8")
    for row, pictures in enumerate(drawn.values()):
        for column, code in enumerate(shown):
            card.alpha_composite(pictures[code], (margin + column * step, margin + row * step))
    return card.convert("RGB").quantize(256, dither=Image.Dither.NONE)


SHOWN = (
    "grinning squinting face", "crying face", "monkey face", "fox", "bear", "penguin", "octopus", "lady beetle",
    "cherry blossom", "cactus", "mushroom", "watermelon", "cookie", "rocket", "sailboat", "rainbow", "violin",
    "umbrella with rain drops",
)  # fmt: skip
"""What the contact sheet shows, as far as all seven sets draw it."""


def main() -> None:
    """Draw all sets, write a sheet for each and the index of them all, and enter them in the catalogue."""
    _packages.run_with("resvg-py==0.5.0", "pillow==13.0.0")
    emojibase = _packages.npm("emojibase-data", "17.0.0")
    sets, known = {style: IconSet(style) for style in STYLES}, concepts(emojibase)
    drawn = {}
    for style, names in matches(sets, known, emojibase).items():
        pictures = {code: draw(sets[style].svg(name)) for code, name in names.items()}
        drawn[style] = without_twins({code: p for code, p in pictures.items() if p}, known)
        package, version, licence = STYLES[style]
        _write.write(f"emoji/{style}.webp", sheet(list(drawn[style].values()), lossless=True, quality=100),
                     name=f"Emoji by {style}, {len(drawn[style]):,} pictures of 64 pixels", licence=licence,
                     origin=f"npm @iconify-json/{package} {version}", made_by=__file__)  # fmt: skip
    index = {
        "size": SIZE,
        "columns": COLUMNS,
        "styles": {style: list(pictures) for style, pictures in drawn.items()},
        "groups": list(dict.fromkeys(concept["group"] for concept in known.values())),
        "concepts": [known[code] for code in known if any(code in pictures for pictures in drawn.values())],
    }
    _write.write("emoji/index.json", json.dumps(index, ensure_ascii=False, separators=(",", ":")).encode("utf-8"),
                 name="Emoji: order of the sheets, labels, tags and groups", licence="MIT",
                 origin="npm emojibase-data 17.0.0", made_by=__file__)  # fmt: skip
    _write.write_licence("emojibase", (emojibase / "LICENSE").read_text("utf-8"))
    if "--contact" in sys.argv:
        codes = {known[code]["label"]: code for code in known if all(code in pictures for pictures in drawn.values())}
        card = contact_sheet(drawn, [codes[label] for label in SHOWN if label in codes])
        card.save(_write.DATA.parent / "docs/emoji.png", optimize=True)


if __name__ == "__main__":
    main()
