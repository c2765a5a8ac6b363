"""Pieces of words: whatever the text, it comes back; batches hold every pair once and little filling."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from squint.text.bpe import BPE, END, PAD, Ragged, bucketed, pad

TEXTS = [
    "the old house",
    "the old man and the sea",
    "das alte Haus",
    "der alte Mann und das Meer",
    "über die Straße",
] * 3


@pytest.fixture(scope="module")
def pieces() -> BPE:
    return BPE.train(TEXTS, size=300)


@given(st.lists(st.text(), max_size=3))
@example(["", " ", "  two  spaces ", "</s><pad>", "Straße 日本語 🙂👩‍🚀", "\x00\n\t\r", "ﬁ e\u0301 \ufeff"])
@settings(deadline=None)
def test_any_unicode_comes_back(pieces, texts):
    assert pieces.decode(pieces.encode(texts)) == texts
    assert pieces.decode(pieces.encode(texts, end=True)) == texts


def test_words_become_pieces(pieces):
    assert len(pieces) == 300
    assert pieces.pieces(pieces.encode(["the old man"])[0]) == ["▁the", "▁old", "▁man"]
    assert pieces.pieces(pieces.encode(["Straße"], end=True)[0])[-1] == "</s>"
    assert "".join(pieces.pieces(pieces.encode(["das"])[0])) == "▁das"


def test_the_first_word_is_spelled_like_any_other(pieces):
    first, later = pieces.encode(["house", "the house"])
    assert later[-len(first) :] == first


def test_a_text_cannot_forge_a_special_piece(pieces):
    assert not {0, 1, 2} & set(pieces.encode(["<s> </s> <pad>"])[0])


def test_saved_and_loaded_it_spells_the_same(pieces, tmp_path):
    pieces.save(tmp_path / "deep" / "bpe.json")
    again = BPE.load(tmp_path / "deep" / "bpe.json")
    texts = [*TEXTS, "</s> ö 🙂"]
    assert again.encode(texts) == pieces.encode(texts) and len(again) == len(pieces)
    assert again.decode(again.encode(texts)) == texts


def test_training_twice_gives_the_same(pieces):
    assert BPE.train(TEXTS, size=300).tokenizer.to_str() == pieces.tokenizer.to_str()


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="259"):
        BPE.train(TEXTS, size=258)
    (tmp_path / "bpe.json").write_text("{}")
    with pytest.raises(ValueError, match="bpe.json"):
        BPE.load(tmp_path / "bpe.json")


def test_padding_fills_the_end():
    assert pad([[5, 6, 7], [], [8]]).tolist() == [[5, 6, 7], [PAD] * 3, [8, PAD, PAD]]
    assert pad([[5]], padding=9).tolist() == [[5]] and pad([]).shape == (0, 0) and pad([[], []]).shape == (2, 0)


@given(st.lists(st.lists(st.integers(3, 99), max_size=6), min_size=1, max_size=8), st.randoms())
@settings(deadline=None)
def test_ragged_rows_in_any_order(sequences, random):
    rows = [random.randrange(len(sequences)) for _ in range(5)]
    padded = Ragged.of(sequences).padded(torch.tensor(rows))
    assert padded.shape == (5, max(len(sequences[row]) for row in rows))
    for row, line in zip(rows, padded.tolist(), strict=True):
        assert line == sequences[row] + [PAD] * (len(line) - len(sequences[row]))


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=200),
    st.integers(1, 120),
    st.booleans(),
)
@settings(deadline=None)
def test_every_pair_is_in_one_batch_and_none_is_too_large(lengths, tokens, shuffled):
    source, target = torch.tensor(lengths).T
    generator = torch.Generator().manual_seed(0) if shuffled else None
    batches = bucketed(source, target, tokens, generator, pool=32)
    assert torch.cat(batches).sort().values.tolist() == list(range(len(lengths)))
    for batch in batches:
        longest = max(int(source[batch].max()), int(target[batch].max()))
        assert len(batch) * longest <= tokens or len(batch) == 1


def test_buckets_hold_little_filling_and_change_with_the_epoch():
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(3, 25, (20_000,), generator=generator)
    source = (target + torch.randint(-2, 3, (20_000,), generator=generator)).clamp(min=2)
    first, second = (bucketed(source, target, 2_048, generator) for _ in range(2))
    real = sum(int(target[batch].sum() + source[batch].sum()) for batch in first)
    padded = sum(len(batch) * int(target[batch].max() + source[batch].max()) for batch in first)
    assert real / padded > 0.9
    assert not torch.equal(first[0], second[0])
    again = bucketed(source, target, 2_048, torch.Generator().manual_seed(7))
    same = bucketed(source, target, 2_048, torch.Generator().manual_seed(7))
    assert all(torch.equal(a, b) for a, b in zip(again, same, strict=True))


def test_end_is_put_after_the_pieces(pieces):
    assert all(ids[-1] == END for ids in pieces.encode(TEXTS, end=True))
