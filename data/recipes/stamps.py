"""Tux Paint's stamps: 64-pixel photographs and drawings of things, each with its name, on one sheet.

Run: python data/recipes/stamps.py             (about a minute)

Children print with them, so there is a sentence to each, and most begin with what the thing is called: that is kept.
Letters, figures, notes and coins are left out. What else is left out, whose sentence had to be read for its name, and
what is no photograph though nothing in the package says so, was seen on contact sheets and is listed below.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import _packages
import _write
from _sheets import COLUMNS, SIZE, sheet

if TYPE_CHECKING:
    from PIL import Image

PACKAGE = ("tuxpaint-stamps-default", "2022.06.04-1")
ROOM = 60
"""A picture's longer side, in pixels."""
QUALITY = 88

LEFT_OUT = (
    "symbols/alphabets/", "symbols/math/", "symbols/money/", "symbols/music/", "seasonal/hanukkah/dreydl-",
    # What is white or faint, and so not to be seen on white.
    "naturalforces/lightningbolt", "seasonal/halloween/ghost", "seasonal/halloween/skull",
    "seasonal/newyears/fireworks.", "seasonal/christmas/lamp", "clothes/white_pants", "household/dishes/glass",
    "sports/rugby_goal_posts", "animals/fish/shrimp",
    # What shows only a part of a thing, or something else besides, or has a sentence that does not say what it is.
    "symbols/chess/b_1_king",
    "military/final-roll-call", "military/ammunition/old_naval_shell", "military/vehicles/infantry-stryker",
    "military/vehicles/ww2_german_gun", "vehicles/emergency/sedan_police", "vehicles/flight/planes/cartoon/plane",
)  # fmt: skip
"""How the paths begin of what is not taken."""
NAMES = {
    "food/bread": "bread",
    "food/cheese": "cheese",
    "food/loaf_of_bread": "sliced bread",
    "food/vegetables/broccoli": "broccoli",
    "household/toilet": "toilet",
    "military/vehicles/bradley": "bradley fighting vehicle",
    "naturalforces/explosion": "explosion",
    "plants/flowers/appooppanthady": "indian milkweed",
    "plants/mushrooms/cep-2": "two ceps",
    "plants/trees/rambutan": "rambutan",
    "seasonal/hanukkah/menorah": "menorah",
    "sports/cartoon/football_helmet_front": "football helmet",
    "sports/cartoon/football_helmet_side": "football helmet",
    "symbols/faces/excited": "excited face",
    "symbols/faces/happy": "happy face",
    "symbols/faces/mad": "mad face",
    "symbols/faces/sad": "sad face",
    "symbols/recycle": "recycling symbol",
    "town/cartoon/docks": "docks",
    "town/houses/cartoon/cave_entrance": "cave entrance",
    "vehicles/locomotive/cartoon/tanker": "tanker",
} | {
    f"symbols/chess/{side}_{place}_{piece}": f"chess {piece}"
    for side in "bw"
    for place, piece in enumerate(("king", "queen", "bishop", "knight", "rook", "pawn"), 1)
}
"""Whose sentence does not begin with a name, or not with enough of one."""
DRAWN = (
    "animals/insects/fly", "animals/mammals/echidna", "animals/mammals/hedgehog", "clothes/button", "clothes/t_",
    "food/pizza", "household/arttools/highlighter", "household/dishes/mug", "medical/tooth", "people/body_parts/",
    "seasonal/christmas/Santa", "seasonal/christmas/bow", "seasonal/christmas/hard_candy",
    "seasonal/christmas/santahat", "seasonal/christmas/star", "seasonal/christmas/stocking", "seasonal/christmas/tree",
    "seasonal/christmas/xmas_tp_bulb", "seasonal/easter/", "seasonal/halloween/bat", "seasonal/halloween/blackcat",
    "seasonal/halloween/spider", "seasonal/hanukkah/", "seasonal/newyears/", "space/planets/0_sun", "symbols/",
    "town/flags/", "town/monuments/inukshuk-outline", "town/roadsigns/",
)  # fmt: skip
"""How the paths begin of what is no photograph, besides vector drawings and what lies in a folder `cartoon`."""

NOTE = """\
# Stamps

{count} little pictures of things, {photos} of them photographs, with their names: the stamps of Tux Paint, a drawing
program for children, © 2002–2022 by Bill Kendrick and the artists who gave them. They come from the Debian package
`{package}` {version}, whose licence is the GNU General Public License, version 2 or later
(`../licences/GPL-2.0-or-later.txt`); so is that of `stamps.webp` and `index.json` here. The course's code is MIT, these
files are not: whoever passes them on does so under these terms. The stamps in their original form, and their sentences
in 77 languages, are in the source package.

Changed by `recipes/stamps.py`: letters, figures, notes, coins and what could not be made out were left out; vector
drawings were rendered; all were cropped, brought to {size} pixels and compressed; of each English sentence the name of
the thing was kept, in lower case and without its article, and {named} were named by us. Which ones are photographs was
judged by eye; road signs are not counted among them.
"""


def name_of(sentence: str) -> str:
    """What a stamp's sentence calls it: ``A camera.  Say Cheese!`` gives ``camera``."""
    plain = re.sub(r"[“”\"]|(?<!\w)'|'(?!\w)", "", sentence).replace("'", "’").strip()
    ends = r"[.!?](\s|$)|\s*[—(]| - |, (also|a|from) | (are|carries|is|lets|means|resembles) "
    return re.sub(r"^(a|an|another|our|some|the) ", "", re.split(ends, plain, maxsplit=1)[0].lower())


def draw(file: Path) -> Image.Image:
    """A stamp as SIZE × SIZE RGBA, cropped and in the middle."""
    import resvg_py
    from PIL import Image

    if file.suffix == ".svg":
        rendered = bytes(resvg_py.svg_to_bytes(svg_path=str(file), dpi=96, width=4 * SIZE))
        picture = Image.open(io.BytesIO(rendered)).convert("RGBA")
    else:
        picture = Image.open(file).convert("RGBA")
    picture = picture.crop(picture.getchannel("A").point(lambda opacity: 255 * (opacity > 8)).getbbox())
    scale = ROOM / max(picture.size)
    picture = picture.resize([max(1, round(scale * side)) for side in picture.size], Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", (SIZE, SIZE))
    canvas.paste(picture, ((SIZE - picture.width) // 2, (SIZE - picture.height) // 2))
    return canvas


def stamps(folder: Path) -> dict[str, tuple[Image.Image, dict]]:
    """Every picture once, by its path, with what the index says of it."""
    found: dict[bytes, tuple[str, Image.Image, dict]] = {}
    for text in sorted(folder.rglob("*.txt")):
        path = text.relative_to(folder).with_suffix("").as_posix()
        files = [file for kind in (".png", ".svg") if (file := text.with_suffix(kind)).exists()]
        if not files or f"{path}.".startswith(LEFT_OUT):
            continue
        about = {
            "caption": NAMES.get(path) or name_of(text.read_text("utf-8").splitlines()[0]),
            "category": path.rpartition("/")[0].removesuffix("/cartoon"),
            "photo": not (text.with_suffix(".svg").exists() or "/cartoon/" in path or path.startswith(DRAWN)),
        }
        picture = draw(files[0])
        found.setdefault(picture.tobytes(), (path, picture, about))
    return {path: (picture, about) for path, picture, about in found.values()}


def main() -> None:
    """Write the sheet, its index and whose they are, and enter them in the catalogue."""
    _packages.run_with("resvg-py==0.5.0", "pillow==13.0.0")
    found = stamps(_packages.debian(*PACKAGE) / "usr/share/tuxpaint/stamps")
    pictures, rows = [picture for picture, _ in found.values()], [about for _, about in found.values()]
    of = {"licence": "GPL-2.0-or-later", "origin": "Debian {} {}".format(*PACKAGE), "made_by": __file__}
    _write.write("stamps/stamps.webp", sheet(pictures, quality=QUALITY),
                 name=f"Tux Paint's stamps, {len(rows)} pictures of 64 pixels", **of)  # fmt: skip
    index = {"size": SIZE, "columns": COLUMNS, "stamps": rows}
    content = json.dumps(index, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    _write.write("stamps/index.json", content,
                 name="Tux Paint's stamps: their names, categories, and which are photographs", **of)  # fmt: skip
    note = NOTE.format(count=len(rows), photos=sum(row["photo"] for row in rows), package=PACKAGE[0],
                       version=PACKAGE[1], size=SIZE, named=sum(path in NAMES for path in found))  # fmt: skip
    _write.write("stamps/README.md", note.encode("utf-8"), name="Tux Paint's stamps: whose they are",
                 licence="MIT", origin="written for the course", made_by=__file__)  # fmt: skip


if __name__ == "__main__":
    main()
