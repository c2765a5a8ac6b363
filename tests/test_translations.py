"""English and German: nothing that is tested was learned, and nothing that is learned is rubbish."""

import re
import sys

import pytest

from squint.data import catalogue, translations

sys.path.insert(0, str(catalogue.CHECKOUT / "data/recipes"))

import everyday  # noqa: E402

WORDS = re.compile(r"[\W\d_]+")


def key(text: str) -> str:
    """A text without case, punctuation, digits and white space."""
    return WORDS.sub("", text.casefold())


@pytest.fixture(scope="module")
def parts() -> dict[str, translations.Pairs]:
    return {part: translations.load(part) for part in translations.PARTS}


def test_there_are_as_many_as_the_readme_says(parts):
    total = sum(map(len, parts.values()))
    assert total > 160_000
    assert f"{total:,} pairs" in (catalogue.root() / "english-german/README.md").read_text("utf-8")
    assert (len(parts["valid"]), len(parts["test"])) == (1_000, 1_500)
    for pairs in parts.values():
        assert len(pairs.english) == len(pairs.german) == len(pairs)


def test_no_sentence_stands_on_both_sides_of_the_split(parts):
    """Neither a source nor a target, nor one as the other, however it is written."""
    keys = {part: {key(text) for text in pairs.english + pairs.german} for part, pairs in parts.items()}
    assert not keys["train"] & keys["test"]
    assert not keys["train"] & keys["valid"]
    assert not keys["valid"] & keys["test"]


def test_no_everyday_sentence_is_learned(parts):
    tried = {key(english) for english, _ in translations.everyday()}
    assert len(tried) == len(translations.everyday()) > 170
    assert not tried & {key(text) for pairs in parts.values() for text in pairs.english}
    own = translations.load("train", "written") + translations.load("train", "made")
    right = {key(text) for _, german in translations.everyday() for text in german}
    assert not right & {key(text) for text in own.german}


@pytest.mark.parametrize("part", ["valid", "test"])
def test_what_is_held_out_occurs_once(parts, part):
    for side in (parts[part].english, parts[part].german):
        assert len({key(text) for text in side}) == len(side)


@pytest.mark.parametrize("part", ["valid", "test"])
def test_what_is_held_out_is_a_whole_sentence(parts, part):
    for english, german in zip(parts[part].english, parts[part].german, strict=True):
        assert 4 <= len(english.split()) <= 16
        for text in (english, german):
            assert re.match(r"[\"']?[A-ZÄÖÜ]", text) and re.search(r"[.!?][\"']?$", text), text


def test_pairs_are_clean(parts):
    wrong = re.compile(r"[<>{}$|\\\t\n]|  |^\s|\s$|\b(sb|sth|jdn|jdm|etw)\b|https?:|[‘’“”„…\xa0\xad]")
    for pairs in parts.values():
        for english, german in zip(pairs.english, pairs.german, strict=True):
            assert not wrong.search(english) and not wrong.search(german), (english, german)
            assert 2 <= len(english.split()) <= 16 and 1 <= len(german.split()) <= 20
            assert 0.45 < len(english) / len(german) < 2.2
            assert key(english) != key(german)


def test_the_german_is_german_and_the_english_english(parts):
    def share(texts: list[str], word: str) -> float:
        return sum(f" {word} " in f" {text.lower()} " for text in texts) / len(texts)

    test = parts["test"]
    assert share(test.english, "the") > 0.3 > 0.01 > share(test.german, "the")
    assert share(test.german, "die") > 0.15 > 0.01 > share(test.english, "die")


def test_no_pair_is_learned_twice(parts):
    pairs = [(key(en), key(de)) for en, de in zip(parts["train"].english, parts["train"].german, strict=True)]
    assert len(set(pairs)) == len(pairs)


def test_sources_add_up(parts):
    several = [translations.load("test", source) for source in translations.TESTED]
    assert sum(several[1:], several[0]) == parts["test"]
    assert translations.load("test", "help", "dictionary") == several[0] + several[2]


@pytest.mark.parametrize(
    ("article", "adjective", "noun", "many", "forms"),
    [
        ("the", ("old", "alt"), "dog", False, ("der alte Hund", "den alten Hund", "dem alten Hund")),
        ("a", ("old", "alt"), "dog", False, ("ein alter Hund", "einen alten Hund", "einem alten Hund")),
        ("my", ("tired", "müde"), "cat", False, ("meine müde Katze", "meine müde Katze", "meiner müden Katze")),
        ("no", ("expensive", "teuer"), "book", False, ("kein teures Buch", "kein teures Buch", "keinem teuren Buch")),
        ("the", None, "lion", False, ("der Löwe", "den Löwen", "dem Löwen")),
        (
            "two",
            ("small", "klein"),
            "child",
            True,
            ("zwei kleine Kinder", "zwei kleine Kinder", "zwei kleinen Kindern"),
        ),
        ("our", ("good", "gut"), "car", True, ("unsere guten Autos", "unsere guten Autos", "unseren guten Autos")),
        ("many", ("red", "rot"), "flower", True, ("viele rote Blumen", "viele rote Blumen", "vielen roten Blumen")),
    ],
)
def test_german_phrases_have_the_endings_of_their_case(article, adjective, noun, many, forms):
    found = next(each for several in everyday.nouns().values() for each in several if each.english == noun)
    phrase = everyday.Phrase(found, article, adjective, many)
    assert tuple(phrase.german(case) for case in everyday.CASES) == forms


def test_german_verbs_stand_where_they_belong():
    person, time = everyday.Person("my brother", "mein Bruder", "er"), ("tomorrow", "morgen")
    clause = everyday.Clause(
        person, "does", "call me", "calls me", "tomorrow", "ruft", "an", "", ("mich", "morgen"), False, time
    )
    assert (clause.english(), clause.german()) == ("my brother calls me tomorrow", "mein Bruder ruft mich morgen an")
    assert clause.ask() == ("does my brother call me tomorrow", "ruft mein Bruder mich morgen an")
    assert clause.subordinate() == "mein Bruder mich morgen anruft"
    assert clause.time_first() == ("tomorrow, my brother calls me", "morgen ruft mein Bruder mich an")


def test_every_pattern_can_be_filled_and_leaves_no_gap():
    maker = everyday.Maker()
    for pattern in maker.patterns:
        for text in maker.filled(pattern):
            assert not re.search(r"[][{}<>@|~+]|  ", text), (pattern, text)


@pytest.mark.parametrize(("arguments", "named"), [(("dev",), "'dev'"), (("test", "bible"), "'bible'")])
def test_what_there_is_not_is_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        translations.load(*arguments)
