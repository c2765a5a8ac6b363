"""The data: what the catalogue says is so, and what the loaders say is so."""

import json
import re
import time
import tomllib
from collections import Counter

import pytest
import torch
from torch.nn.functional import normalize

from squint.data import analogies, catalogue, emoji, fetch, glove, minilm, parses, stamps, texts

DATA = catalogue.CHECKOUT / "data"
SHIPPED = [entry for entry in catalogue.entries() if not entry.fetched]
FETCHED = [entry for entry in catalogue.entries() if entry.fetched]
have_weights = pytest.mark.skipif(
    any(not (catalogue.root() / entry.path).exists() for entry in FETCHED), reason="`squint data fetch` was not run"
)


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.path)
def test_shipped_file_is_what_the_catalogue_says(entry):
    assert catalogue.problem(entry) is None
    assert catalogue.path(entry.path) == DATA / entry.path


@have_weights
@pytest.mark.parametrize("entry", FETCHED, ids=lambda entry: entry.path)
def test_fetched_file_is_what_the_catalogue_says(entry):
    assert catalogue.problem(entry) is None


def test_every_file_is_catalogued():
    apart = ("licences", "recipes", "cache")
    files = {path.relative_to(DATA).as_posix() for path in DATA.rglob("*") if path.is_file()}
    files = {path for path in files if not path.startswith(apart)} - {"catalogue.toml", "README.md"}
    assert files == {entry.path for entry in SHIPPED}


@pytest.mark.parametrize("entry", catalogue.entries(), ids=lambda entry: entry.path)
def test_entry_names_its_recipe_licence_and_origin(entry):
    assert (DATA / entry.made_by).exists()
    assert entry.licence == "public-domain" or (DATA / "licences" / f"{entry.licence}.txt").exists()
    assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
    assert entry.name and entry.origin
    readme = (DATA / "README.md").read_text("utf-8")
    assert f"`{entry.path}`" in readme and entry.made_by.split("/")[1] in readme
    if entry.fetched:
        assert re.fullmatch(r"[0-9a-f]{64}", entry.wheel_sha256) and entry.member and entry.version


def test_catalogue_is_sorted_and_has_no_path_twice():
    paths = [entry["path"] for entry in tomllib.loads((DATA / "catalogue.toml").read_text("utf-8"))["file"]]
    assert paths == sorted(set(paths))


def test_data_in_git_is_small():
    assert sum(entry.bytes for entry in SHIPPED) < 150e6


def test_recipes_name_packages_and_no_host():
    for recipe in (DATA / "recipes").glob("*.py"):
        assert not re.search(r"https?://(?!www\.w3\.org)", recipe.read_text("utf-8")), recipe.name


def test_a_hash_is_computed_once_a_process(monkeypatch):
    catalogue.path("glove/words.txt")
    monkeypatch.setattr(catalogue, "problem", lambda entry: pytest.fail("hashed again"))
    catalogue.path("glove/words.txt")


# Texts


@pytest.mark.parametrize(
    ("name", "characters", "phrase"),
    [
        ("austen", 4.0e6, "It is a truth universally acknowledged"),
        ("shakespeare", 4.9e6, "To be, or not to be: that is the question:"),
        ("bible", 4.8e6, "In the beginning, God created the heavens and the earth."),
        ("wordnet", 11.7e6, "any of various plants"),
    ],
)
def test_text_is_whole_and_plain(name, characters, phrase):
    text = texts.load(name)
    assert len(text) == pytest.approx(characters, rel=0.02)
    assert phrase in text
    assert not set("‘’“”\r\x00") & set(text)
    assert not re.search(r"<[a-z]+\b[^>]*>|&[a-z]{2,};", text)


def test_names_are_those_that_load():
    assert texts.names() == ["austen", "shakespeare", "bible", "wordnet"]
    with pytest.raises(ValueError, match="'dickens'"):
        texts.load("dickens")


def test_words_are_lower_case_with_one_apostrophe():
    assert texts.words("Don't 'Tis the King's fo'c's'le; 42 naïve") == [
        "don't", "tis", "the", "king's", "fo'c", "s'le", "na", "ve",
    ]  # fmt: skip


def test_sentences_of_one_text():
    sentences = texts.sentences("austen")
    assert min(map(len, sentences)) == texts.SHORTEST
    opening = texts.words("It is a truth universally acknowledged")
    assert any(sentence[: len(opening)] == opening for sentence in sentences)


@pytest.mark.slow
def test_corpus_equals_numbering_the_sentences():
    sentences = texts.sentences()
    corpus = texts.corpus()
    counted = [(w, n) for w, n in Counter(w for s in sentences for w in s).most_common() if n >= texts.RAREST]
    assert corpus.vocab == [word for word, _ in counted]
    assert corpus.counts.tolist() == [count for _, count in counted]
    index = corpus.index
    assert corpus.tokens.tolist() == [index[word] for sentence in sentences for word in sentence if word in index]
    lengths = torch.tensor([sum(word in index for word in sentence) for sentence in sentences])
    assert torch.equal(corpus.sentence, torch.repeat_interleave(torch.arange(len(sentences)), lengths))


@pytest.mark.parametrize(
    "text",
    [
        "Don't! fo'c's'le goes on; 'tis o'er-ripe, a'b'c'd'e here. No.\n\nA new one begins here: yes it does.",
        "one two three\nfour. Five six\n\n\nseven eight nine",
        'He said, "Go!" Then he went.  So did she; and "so" on. é à ü three more words',
        "a b c",
        "'a b' c'",
    ],
)
def test_array_splitting_equals_the_regular_expressions(text):
    parts = [texts.words(part) for part in texts.SENTENCE_END.split(text)]
    parts = [part for part in parts if len(part) >= texts.SHORTEST]
    spelled, sentence = texts._split(text)
    assert [word.decode() for word in spelled] == [word for part in parts for word in part]
    assert sentence.tolist() == [i for i, part in enumerate(parts) for _ in part]


def test_corpus_counts_what_it_holds():
    corpus = texts.corpus()
    assert len(corpus.tokens) == len(corpus.sentence) == 4_085_768
    assert len(corpus.vocab) == len(corpus.counts) == 34_145
    assert torch.equal(torch.bincount(corpus.tokens), corpus.counts)
    assert bool((corpus.sentence.diff() >= 0).all())
    assert texts.corpus() is corpus


# Vectors and their tests


def test_glove_solves_king_minus_man_plus_woman():
    vectors = glove.load()
    assert vectors.vectors.shape == (20_000, 50) and vectors.vectors.dtype == torch.float32
    assert len(vectors.words) == len(vectors.index) == 20_000
    unit = normalize(vectors.vectors, dim=1)
    asked = [vectors.index[word] for word in ("king", "man", "woman")]
    score = unit @ (unit[asked[0]] - unit[asked[1]] + unit[asked[2]])
    score[asked] = -1
    assert vectors.words[int(score.argmax())] == "queen"


def test_glove_of_fewer_words_is_the_beginning():
    few, many = glove.load(100), glove.load()
    assert few.words == many.words[:100] and torch.equal(few.vectors, many.vectors[:100])
    assert "the" in few and torch.equal(few["the"], many.vectors[0])
    for n in (0, 20_001):
        with pytest.raises(ValueError, match=str(n)):
            glove.load(n)


def test_analogies_are_google_s():
    sections = analogies.load()
    assert len(sections) == 14 and sum(map(len, sections.values())) == 19_544
    assert len(sections["family"]) == 506
    assert ("boy", "girl", "brother", "sister") in sections["family"]
    assert all(word == word.lower() for question in sections["capital-world"] for word in question)


@pytest.mark.parametrize(("name", "pairs"), [("wordsim353", 353), ("simlex999", 999)])
def test_similarity_pairs(name, pairs):
    rows = analogies.similarity(name)
    assert len(rows) == pairs and all(0 <= score <= 10 for _, _, score in rows)
    with pytest.raises(ValueError, match="'men'"):
        analogies.similarity("men")


# MiniLM and the parses


@have_weights
def test_minilm_has_the_shapes_of_its_config():
    weights, config = minilm.weights(), minilm.CONFIG
    assert all(tensor.dtype == torch.float32 for tensor in weights.values())
    assert weights["embeddings.word_embeddings.weight"].shape == (config.vocab, config.dim)
    assert weights["embeddings.position_embeddings.weight"].shape == (config.positions, config.dim)
    assert weights["encoder.layer.5.attention.self.query.weight"].shape == (config.dim, config.dim)
    assert weights["encoder.layer.0.intermediate.dense.weight"].shape == (config.hidden, config.dim)
    assert len({name.split(".")[2] for name in weights if name.startswith("encoder.layer.")}) == config.layers
    assert config.dim % config.heads == 0


@have_weights
def test_minilm_tokenizer_neither_pads_nor_truncates():
    pieces = minilm.tokenizer()
    assert pieces.encode("The animal was tired").tokens == ["[CLS]", "the", "animal", "was", "tired", "[SEP]"]
    assert len(pieces.encode("word " * 300).ids) == 302


def test_parses_are_trees():
    sentences = parses.load()
    assert len(sentences) >= 1_400
    assert len({sentence.words for sentence in sentences}) == len(sentences)
    for sentence in sentences:
        assert len(sentence.words) == len(sentence.heads) == len(sentence.relations)
        assert all(-1 <= head < len(sentence.words) and head != i for i, head in enumerate(sentence.heads))
        assert [relation == "root" for relation in sentence.relations] == [head == -1 for head in sentence.heads]
        for i in range(len(sentence.words)):
            steps = 0
            while i != -1 and steps <= len(sentence.words):
                i, steps = sentence.heads[i], steps + 1
            assert i == -1


def test_halves_of_the_parses_are_alike():
    sentences = parses.load()
    half = len(sentences) // 2
    first, second = (
        Counter(relation for sentence in part for relation in sentence.relations)
        for part in (sentences[:half], sentences[half:])
    )
    for relation, count in first.most_common(10):
        assert count == pytest.approx(second[relation], rel=0.15)


# Emoji


@pytest.fixture(scope="module")
def pictures() -> emoji.Emoji:
    return emoji.load(32)


def test_emoji_shapes(pictures):
    n = len(pictures)
    assert n == 9_518 and len(pictures.concepts) == 1_640 and len(pictures.groups) == 8
    assert pictures.images.shape == (n, 4, 32, 32) and pictures.images.dtype == torch.uint8
    assert pictures.style.shape == pictures.concept.shape == pictures.group.shape == (n,)
    assert pictures.styles == emoji.style_names() and len(pictures.styles) == 7
    rgb = pictures.where(torch.arange(50)).rgb()
    assert rgb.shape == (50, 3, 32, 32) and rgb.dtype == torch.float32
    assert rgb.min() >= 0 and rgb.max() <= 1


def test_emoji_show_what_they_say(pictures):
    pairs = set(zip(pictures.style.tolist(), pictures.concept.tolist(), strict=True))
    assert len(pairs) == len(pictures)
    assert all(
        pictures.groups[g] == pictures.concepts[c].group for g, c in zip(pictures.group, pictures.concept, strict=True)
    )
    assert "red apple" in pictures.labels
    heart = pictures.where(torch.tensor([label == "red heart" for label in pictures.labels]))
    red, green, blue = heart.rgb()[:, :, 12:20, 12:20].mean(dim=(0, 2, 3)).tolist()
    assert len(heart) >= 6 and red > 0.6 and red > 2 * green and red > 2 * blue


def test_emoji_have_no_flags_no_skin_tones_and_none_is_empty(pictures):
    assert not {"flags", "component"} & set(pictures.groups)
    assert not any("skin tone" in concept.label for concept in pictures.concepts)
    assert not any(code in concept.hexcode for concept in pictures.concepts for code in ("1f3fb", "1f3ff", "fe0f"))
    assert bool((pictures.images[:, 3].flatten(1).amax(dim=1) > 0).all())


def test_no_set_shows_one_picture_under_two_names():
    full = emoji.load(64)
    for style in range(7):
        seen = [image.numpy().tobytes() for image in full.images[full.style == style]]
        assert len(set(seen)) == len(seen)


def test_smaller_emoji_are_averages(pictures):
    full = emoji.load(64, ["noto"])
    half = emoji.load(32, ["noto"])
    assert torch.equal(half.images, pictures.images[pictures.style == 0])
    for background in (0.0, 1.0):
        averaged = torch.nn.functional.avg_pool2d(full.rgb(background), 2)
        assert torch.allclose(half.rgb(background), averaged, atol=1.5 / 255)


@pytest.mark.parametrize("size", [64, 16, 8, 4, 2, 1])
def test_emoji_of_every_size(size):
    assert emoji.load(size, ["fxemoji"]).images.shape[2:] == (size, size)


def test_emoji_of_some_styles_keep_all_concepts(pictures):
    some = emoji.load(32, ["twemoji", "noto"])
    assert some.styles == ["twemoji", "noto"] and some.concepts == pictures.concepts
    assert torch.equal(some.images[some.style == 1], pictures.images[pictures.style == 0])


@pytest.mark.parametrize(("arguments", "named"), [((48,), "48"), ((0,), "0"), ((32, ["openmoji"]), "'openmoji'")])
def test_emoji_refuse_what_there_is_not(arguments, named):
    with pytest.raises(ValueError, match=named):
        emoji.load(*arguments)


def test_no_concept_on_both_sides_of_the_split(pictures):
    kept, held_out = emoji.split_concepts()
    assert len(held_out) == 150 and not set(kept.tolist()) & set(held_out.tolist())
    assert len(kept) + len(held_out) == len(pictures.concepts)
    test = pictures.where(torch.isin(pictures.concept, held_out))
    train = pictures.where(torch.isin(pictures.concept, kept))
    assert len(test) + len(train) == len(pictures)
    assert not set(test.concept.tolist()) & set(train.concept.tolist())
    assert torch.equal(emoji.split_concepts()[1], held_out)
    assert not torch.equal(emoji.split_concepts(seed=1)[1], held_out)
    with pytest.raises(ValueError, match="2000"):
        emoji.split_concepts(held_out=2_000)


def test_index_lists_concepts_in_one_order():
    index = json.loads(catalogue.path("emoji/index.json").read_text("utf-8"))
    order = {concept["hexcode"]: i for i, concept in enumerate(index["concepts"])}
    for codes in index["styles"].values():
        assert [order[code] for code in codes] == sorted({order[code] for code in codes})


# Stamps


@pytest.fixture(scope="module")
def printed() -> stamps.Stamps:
    return stamps.load()


def test_stamps_shapes(printed):
    n = len(printed)
    assert n == len(printed.captions) == len(printed.categories) == 706 and len(printed.names) == 624
    assert printed.images.shape == (n, 4, 32, 32) and printed.images.dtype == torch.uint8
    assert printed.photo.shape == printed.name.shape == (n,) and int(printed.photo.sum()) == 327
    assert [printed.names[i] for i in printed.name.tolist()] == printed.captions
    rgb = printed.rgb()
    assert rgb.shape == (n, 3, 32, 32) and rgb.min() >= 0 and rgb.max() <= 1


def test_stamps_are_named_and_sorted_as_emoji_are(printed):
    known = {concept.label for concept in emoji.load(1).concepts}
    assert {"fox", "red apple", "hammer", "fire", "tractor"} <= set(printed.captions) & known
    assert sum(caption in known for caption in printed.captions) > 150
    for caption in printed.captions:
        assert caption == caption.lower().strip(" .!?–—") and 0 < len(caption.split()) <= 9
        assert not re.match(r"(a|an|the|some) ", caption)
    categories = set(printed.categories)
    assert not any(re.search("alphabets|math|money|symbols/music|cartoon", category) for category in categories)
    assert {category.split("/")[0] for category in categories} >= {"animals", "food", "town", "vehicles"}


def test_stamps_show_what_they_say(printed):
    def middle(caption: str) -> list[float]:
        rows = [i for i, each in enumerate(printed.captions) if each == caption]
        return printed.rgb()[rows, :, 12:20, 12:20].mean(dim=(0, 2, 3)).tolist()

    for caption, most in (("red apple", 0), ("green apple", 1), ("neptune", 2)):
        colours = middle(caption)
        assert colours.index(max(colours)) == most, (caption, colours)


def test_every_stamp_is_seen_on_white_and_none_is_there_twice(printed):
    assert (1 - printed.rgb()).flatten(1).amax(dim=1).min() > 0.25
    edges = printed.images[:, 3].float().clone()
    edges[:, 1:-1, 1:-1] = 0
    assert edges.max() == 0, "all are centred, with room around"
    assert len({image.numpy().tobytes() for image in printed.images}) == len(printed)


def test_smaller_stamps_are_averages(printed):
    averaged = torch.nn.functional.avg_pool2d(stamps.load(64).rgb(), 2)
    assert torch.allclose(printed.rgb(), averaged, atol=1.5 / 255)
    assert stamps.load(8).images.shape == (706, 4, 8, 8)
    with pytest.raises(ValueError, match="48"):
        stamps.load(48)


def test_stamps_say_whose_they_are():
    entries = {entry.path: entry.licence for entry in catalogue.entries() if entry.path.startswith("stamps/")}
    assert entries == {"stamps/README.md": "MIT"} | dict.fromkeys(
        ("stamps/index.json", "stamps/stamps.webp"), "GPL-2.0-or-later"
    )
    note = (catalogue.root() / "stamps/README.md").read_text("utf-8")
    assert "706" in note and "327" in note and "Bill Kendrick" in note and "version 2 or later" in note


@have_weights
def test_fetching_again_does_nothing_at_once(monkeypatch):
    monkeypatch.setattr(fetch.subprocess, "run", lambda *_, **__: pytest.fail("pip was called"))
    start = time.perf_counter()
    assert fetch.all(say=lambda line: pytest.fail(line)) == []
    print(f"{1e3 * (time.perf_counter() - start):.0f} ms")
