"""Clean English–German pairs of at most sixteen words: examples of a dictionary, talk of games, a program's help.

Run: python data/recipes/english_german.py      (two minutes, most of it for downloading 1.3 GB of packages)

One file a source, so that each keeps its own licence. A line is the part (train, valid or test), the English and the
German, with tabs between. The parts are drawn here, once and for all: valid and test are whole sentences whose English
occurs once in everything that was collected, and so does their German, whatever the case, punctuation, digits and
white space. So nothing that is tested was learned, in either language.

Three sources came later and are for training only: the talk of more games, and everyday sentences of the course's own,
written by hand and made by rule (`everyday.py`).
"""

from __future__ import annotations

import gettext
import hashlib
import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import _packages
import _write

Pair = tuple[str, str]

DICTIONARY = ("trans-de-en", "1.9-6")
CAMPAIGNS = "did dm dw ei httt l low nr sof sota sotbe thot trow tsg ttb utbs"
GAME = [f"wesnoth-1.16-{part}" for part in ("data", *CAMPAIGNS.split())]
GAME_VERSION = "1:1.16.9-1"
TALK = {
    "freedroidrpg-data": "1.0-1", "widelands-data": "2:1.1-3", "freedink-data": "1.08.20190120-2",
    "gbrainy": "1:2.4.6-1", "freeciv-data": "3.0.6-1+deb12u1", "unknown-horizons": "2019.1-6",
    "tuxpaint-data": "1:0.9.28-sdl2-1",
}  # fmt: skip
HELP = ("libreoffice-help-en-us", "libreoffice-help-de")
HELP_VERSION = "4:7.4.7-1+deb12u14"

LONGEST_ENGLISH, LONGEST_GERMAN = 16, 20
HELD_OUT = {"test": 1_500, "valid": 1_000}

PLAIN = str.maketrans({
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "´": "'", "`": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
    "…": "...", "\xa0": " ", "\u202f": " ", "\u2009": " ", "\u2060": "", "\u200b": "", "\xad": "", "‑": "-", "‐": "-",
    "—": " - ", "–": " - ",
})  # fmt: skip
# Markup, variables, addresses and file names; and what stands for something in a dictionary's entry (sb., etw., …).
UNWANTED = re.compile(r"[$|{}=_\\<>%@#*~^\[\]()/;&+•→↔−×°©®™′″\x00-\x1f]|https?:|www\.|\.\w{3,4}\b(?<!\.\.\.)|\w\.\w")
PLACEHOLDER = re.compile(r"\b(?:sb|sth|jd|jdn|jdm|jds|jmd|jmdn|etw|od|bzw|usw|e\.g|i\.e|one's|oneself)\b", re.I)
WHOLE_SENTENCE = re.compile(r"[\"']?[A-ZÄÖÜ].*[a-zäöüß].*[.!?][\"']?")
SENTENCE_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"']))\s+(?=[\"']?[A-ZÄÖÜ])")
ENGLISH_WORD = re.compile(r"\b(the|and|is|are|you|of|to|with|this|that|your|for)\b", re.I)
GERMAN_WORD = re.compile(r"\b(der|die|das|und|ist|nicht|sie|ein|eine|zu|mit|von|den|im|du|ich|wird|auf|für)\b", re.I)
FOREIGN = re.compile(r"[^\x20-\x7eÀ-ÖØ-öø-ÿ€]")


def tidy(text: str) -> str:
    """Plain quotes and dashes, single spaces."""
    return re.sub(r"\s+", " ", text.translate(PLAIN)).strip()


def words(text: str) -> int:
    """How many words a text has, by its spaces."""
    return len(text.split())


def key(text: str) -> str:
    """A text without case, punctuation, digits and white space: what must not stand on both sides of the split."""
    return re.sub(r"[\W\d_]+", "", text.casefold())


def is_clean(english: str, german: str) -> bool:
    """Whether a pair has no markup and no placeholder, is short enough, and has lengths that go together."""
    both = f"{english} {german}"
    if UNWANTED.search(both) or PLACEHOLDER.search(both) or FOREIGN.search(both):
        return False
    if not (2 <= words(english) <= LONGEST_ENGLISH and 1 <= words(german) <= LONGEST_GERMAN):
        return False
    if key(english) == key(german) or min(len(key(english)), len(key(german))) < 3 or both.count('"') % 2:
        return False
    return 0.45 < len(english) / len(german) < 2.2 and bool(english[-1] in "?!") == bool(german[-1] in "?!")


# The dictionary: "Haus {n}; Gebäude {n} | ein altes Haus :: house; building | an old house"


def _without_notes(entry: str) -> str:
    return tidy(re.sub(r"\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|<[^>]*>|/[^/]*/", "", entry)).strip(" ;,")


def dictionary(package: Path) -> Iterator[Pair]:
    """The first translation of every phrase of three words or more, and of every example sentence."""
    for line in (package / "usr/share/trans/de-en").read_text("utf-8", errors="ignore").splitlines():
        if line.startswith("#") or "::" not in line:
            continue
        german, english = (side.split("|") for side in line.split("::", 1))
        if len(german) != len(english):
            continue
        for de, en in zip(german, english, strict=True):
            pair = _without_notes(en.split(";")[0]), _without_notes(de.split(";")[0])
            # Dots stand for the rest of a sentence here, and for a pause in the other two.
            if words(pair[0]) >= 3 and words(pair[1]) >= 2 and "..." not in pair[0] + pair[1]:
                yield pair


# The game: message catalogues, cut into sentences


def _messages(files: Path) -> Iterator[Pair]:
    for path in sorted(files.glob("usr/**/de/**/*.mo")):
        with path.open("rb") as content:
            catalogue = gettext.GNUTranslations(content)._catalog
        for english, german in catalogue.items():
            source = english[0] if isinstance(english, tuple) else english
            # A message may carry its context before it: "tutorial^Move there."
            yield source.split("\x04")[-1].split("^")[-1], german


def game(packages: list[Path]) -> Iterator[Pair]:
    """Sentences of those messages that have as many sentences in German as in English."""
    for files in packages:
        for english, german in _messages(files):
            sides = [SENTENCE_END.split(tidy(re.sub(r"<[^>]+>", "", side))) for side in (english, german)]
            if len(sides[0]) == len(sides[1]):
                yield from zip(*sides, strict=True)


def is_close(english: str, german: str) -> bool:
    """Whether both sides are whole sentences with one end and the same digits, and the German is not English still."""
    if not all(WHOLE_SENTENCE.fullmatch(side) for side in (english, german)) or english[-1] != german[-1]:
        return False
    left_over = len(ENGLISH_WORD.findall(german)) >= 2 and not GERMAN_WORD.search(german)
    return not left_over and re.findall(r"\d+", english) == re.findall(r"\d+", german) and words(english) >= 3


# The help: the same paragraph, by its identifier, in two pages


def _paragraphs(page: Path) -> dict[str, str]:
    found = re.finditer(r'<(p|h\d)[^>]*id="([^"]+)"[^>]*>(.*?)</\1>', page.read_text("utf-8"), re.S)
    return {match[2]: tidy(html.unescape(re.sub(r"<[^>]+>", "", match[3]))) for match in found}


def manual(english: Path, german: Path) -> Iterator[Pair]:
    """Paragraphs of the help pages that both languages have, cut into sentences where both have as many."""
    homes = [next(files.glob(f"usr/share/libreoffice/help/{code}/text")) for files, code in
             ((english, "en-US"), (german, "de"))]  # fmt: skip
    for page in sorted(homes[1].rglob("*.html")):
        twin = homes[0] / page.relative_to(homes[1])
        if not twin.exists():
            continue
        ours, theirs = _paragraphs(twin), _paragraphs(page)
        for identifier in ours.keys() & theirs.keys():
            sides = SENTENCE_END.split(ours[identifier]), SENTENCE_END.split(theirs[identifier])
            if len(sides[0]) == len(sides[1]):
                yield from ((en, de) for en, de in zip(*sides, strict=True) if words(en) >= 3)


# Cleaning, and the split


def collect(sources: dict[str, Iterator[Pair]]) -> dict[str, list[Pair]]:
    """The clean pairs of each source in one order; a pair that two have, or one has twice, is kept once."""
    seen: set[Pair] = set()
    kept: dict[str, list[Pair]] = {}
    for name, pairs in sources.items():
        kept[name] = []
        for english, german in sorted({(tidy(en), tidy(de)) for en, de in pairs if en and de}):
            keys = key(english), key(german)
            if keys not in seen and is_clean(english, german):
                seen.add(keys)
                kept[name].append((english, german))
    return kept


def draw(kept: dict[str, list[Pair]]) -> dict[str, str]:
    """The part of every held-out pair by its English key: whole sentences that occur once, drawn by their hashes."""
    pairs = [pair for several in kept.values() for pair in several]
    sources, targets = (Counter(key(pair[side]) for pair in pairs) for side in (0, 1))
    # An English sentence can be another's German ("In Excel"), hence both ways.
    lonely = [
        key(english) for english, german in pairs
        if sources[key(english)] == targets[key(german)] == 1
        and not targets[key(english)] and not sources[key(german)]
        and words(english) >= 4 and all(WHOLE_SENTENCE.fullmatch(side) for side in (english, german))
    ]  # fmt: skip
    lonely.sort(key=lambda text: hashlib.sha256(text.encode("utf-8")).digest())
    parts: dict[str, str] = {}
    for part, size in HELD_OUT.items():
        parts.update(dict.fromkeys(lonely[len(parts) : len(parts) + size], part))
    return parts


NOTE = """\
# English–German pairs

{total:,} pairs of English texts of at most {longest} words and their German translations. A line: the part (`train`,
`valid`, `test`), the English, the German, with tabs between. Made by `recipes/english_german.py`, which took the texts
out of their packages, cut them into sentences, made quotes and dashes plain, and left out markup, placeholders and
pairs whose lengths do not go together. `written` and `made` are the course's own: sentences written by hand, and made
from a lexicon by `recipes/everyday.py`. `everyday.tsv` holds everyday sentences to try a translator with, each with all
its right translations that were thought of; none of them in English is among the pairs.

| file | pairs | whose | licence |
|---|---|---|---|
{rows}

The course's code is MIT; the texts of others are not. Whoever passes them on, or weights that were trained on them,
passes them on under these terms: the GNU General Public License, version 2 or later
(`../licences/GPL-2.0-or-later.txt`), and the Mozilla Public License 2.0 (`../licences/MPL-2.0.txt`), which may be
combined with it. The texts in their original form are in the source packages that the recipe names.
"""

GAMES = "FreedroidRPG, Widelands, FreeDink, gbrainy, Freeciv, Unknown Horizons, Tux Paint"
SOURCES = {
    "dictionary": ("a dictionary's phrases", "Ding's dictionary: © Frank Richter, TU Chemnitz, 1995–2023",
                   "GPL-2.0-or-later", "Debian {} {}".format(*DICTIONARY)),
    "game": ("a game's dialogues",
             "The Battle for Wesnoth and its German translation: © David White and the Wesnoth project, 2003–2022",
             "GPL-2.0-or-later", f"Debian wesnoth-1.16-data and the sixteen campaigns {GAME_VERSION}"),
    "help": ("a program's help",
             "LibreOffice's help: © 2000, 2010 Oracle and LibreOffice contributors and/or their affiliates", "MPL-2.0",
             f"Debian {HELP[0]} and {HELP[1]} {HELP_VERSION}"),
    "talk": ("talk of games", f"{GAMES}, and their German translations: © their authors and translators",
             "GPL-2.0-or-later", "Debian " + ", ".join(f"{name} {version}" for name, version in TALK.items())),
    "written": ("everyday sentences, by hand", "the course", "MIT", "written for the course"),
    "made": ("everyday sentences, by rule", "the course", "MIT", "made for the course from everyday/*.txt"),
}  # fmt: skip


def main() -> None:
    """Make all files again, with their note and their licences, and enter them in the catalogue."""
    import everyday

    games = [_packages.debian(name, GAME_VERSION) for name in GAME]
    pages = [_packages.debian(name, HELP_VERSION) for name in HELP]
    kept = collect({
        "dictionary": dictionary(_packages.debian(*DICTIONARY)),
        "game": game(games),
        "help": manual(*pages),
    })  # fmt: skip
    parts = draw(kept)
    known = {key(english) for pairs in kept.values() for english, _ in pairs}
    tried = [row for row in everyday.held_out() if key(row[0]) not in known]
    taken = {key(text) for row in tried for text in row} | {
        key(side) for pairs in kept.values() for pair in pairs if key(pair[0]) in parts for side in pair
    }
    talk = game([_packages.debian(*package) for package in TALK.items()])
    more = collect({
        **{name: iter(pairs) for name, pairs in kept.items()},
        "talk": (pair for pair in talk if is_close(*map(tidy, pair))),
        "written": iter(everyday.written()),
        "made": everyday.Maker().make(everyday.SENTENCES, taken),
    })  # fmt: skip
    rows = []
    for name, (title, whose, licence, origin) in SOURCES.items():
        pairs = kept.get(name) or [pair for pair in more[name] if not {key(side) for side in pair} & taken]
        lines = [f"{parts.get(key(english), 'train')}\t{english}\t{german}\n" for english, german in pairs]
        _write.write(f"english-german/{name}.tsv.gz", _write.gz("".join(lines).encode("utf-8")),
                     name=f"English–German pairs, {title}: {len(pairs):,}", licence=licence, origin=origin,
                     made_by=__file__)  # fmt: skip
        rows.append((len(pairs), f"| `{name}.tsv.gz` | {len(pairs):,} | {whose} | {licence} |"))
    _write.write("english-german/everyday.tsv", "".join("\t".join(row) + "\n" for row in tried).encode("utf-8"),
                 name=f"Everyday English sentences with their right German translations: {len(tried)}",
                 licence="MIT", origin="written for the course", made_by=__file__)  # fmt: skip
    note = NOTE.format(total=sum(n for n, _ in rows), longest=LONGEST_ENGLISH, rows="\n".join(row for _, row in rows))
    _write.write("english-german/README.md", note.encode("utf-8"), name="English–German pairs: whose they are",
                 licence="MIT", origin="written for the course", made_by=__file__)  # fmt: skip
    texts = _packages.npm("spdx-license-list", "6.12.0") / "licenses"
    for licence in ("GPL-2.0-or-later", "MPL-2.0"):
        _write.write_licence(licence, json.loads((texts / f"{licence}.json").read_text("utf-8"))["licenseText"])


if __name__ == "__main__":
    main()
