"""Skip-gram and its relatives: the loss and its gradient, blocks against pairs, counting, analogies, WEAT."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from fake_device import THERE, NoWaits, second_device
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import logsigmoid, normalize

from squint import train
from squint.models import word2vec


def corpus(n: int = 5000, vocab: int = 30, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A text in which each word is followed by a neighbour of its id: words close in id keep the same company."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randint(-2, 3, (n,), generator=generator)
    tokens = steps.cumsum(0).remainder(vocab)
    return tokens, torch.arange(n) // 20, torch.bincount(tokens, minlength=vocab)


def small_batch(seed: int = 0) -> tuple[word2vec.SkipGram, word2vec.Blocks]:
    tokens, sentence, counts = corpus()
    data = word2vec.Epochs(tokens, sentence, counts, threshold=1.0, length=16, batch=3, shared=8, seed=seed)
    model = word2vec.SkipGram(len(counts), dim=6, negatives=4, cap=1e9)
    generator = torch.Generator().manual_seed(seed)
    model.input.normal_(generator=generator)
    model.output.normal_(generator=generator)
    return model, data(0)[0]


def pair_by_pair(model: word2vec.SkipGram, batch: word2vec.Blocks) -> torch.Tensor:
    """The loss of a batch, summed the slow way: loops over blocks, centres, contexts and negatives."""
    total = torch.zeros(())
    for words, sentence, radius, negatives in zip(*batch, strict=True):
        for i in range(len(words)):
            u = model.input[words[i]]
            for j in range(len(words)):
                if i == j or abs(i - j) > radius[i] or sentence[i] != sentence[j]:
                    continue
                total = total - logsigmoid(u @ model.output[words[j]])
                each = -logsigmoid(-(model.output[negatives] @ u)).sum()
                total = total + each * model.negatives / len(negatives)
    return total


def test_a_step_follows_the_gradient_of_the_loss() -> None:
    """The gradient written out is the one that autograd finds for the loss summed pair by pair."""
    model, batch = small_batch()
    twin, _ = small_batch()
    twin.input.requires_grad_()
    twin.output.requires_grad_()
    pair_by_pair(twin, batch).backward()
    before = model.input.clone(), model.output.clone()
    model(batch, scale=0.5)
    rate = 0.5 * model.rate
    torch.testing.assert_close(before[0] - model.input, rate * twin.input.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(before[1] - model.output, rate * twin.output.grad, rtol=1e-4, atol=1e-5)


def test_the_reported_loss_is_that_of_a_pair() -> None:
    model, batch = small_batch()
    first = word2vec.Blocks(*(part[:2] for part in batch))
    expected = pair_by_pair(model, first) / first.window().sum()
    assert model(batch).item() == pytest.approx(expected.item(), rel=1e-4)


def test_it_starts_at_nine_coins() -> None:
    tokens, sentence, counts = corpus()
    model = word2vec.SkipGram(len(counts), negatives=8)
    batch = word2vec.Epochs(tokens, sentence, counts, threshold=1.0)(0)[0]
    assert model(batch).item() == pytest.approx(9 * math.log(2), rel=1e-5)


def test_a_step_waits_for_no_number() -> None:
    model, batch = small_batch()
    model(batch)
    with NoWaits():
        model(batch, 0.5)
        with pytest.raises(RuntimeError, match="waits"):
            torch.bincount(batch.tokens.flatten())


def test_frequent_words_are_held_back_by_the_cap() -> None:
    model, batch = small_batch()
    model.cap = 2.0
    ids = torch.tensor([[3, 3, 3, 3, 5]])
    before = model.input.clone()
    model.descend(model.input, ids, torch.ones(1, 5, 6), rate=0.1)
    moved = before - model.input
    torch.testing.assert_close(moved[3], torch.full((6,), 0.2))
    torch.testing.assert_close(moved[5], torch.full((6,), 0.1))
    assert moved.count_nonzero() == 12


def test_blocks_pair_what_window_pairs_pairs() -> None:
    """Cut at the blocks' edges and the sentences' ends, the windows of blocks are those of the exercise."""
    _, batch = small_batch()
    window = batch.window()
    for words, sentence, radius, inside in zip(batch.tokens, batch.sentence, batch.radius, window, strict=True):
        expected = torch.cat(
            [word2vec.window_pairs(words[sentence == s], radius[sentence == s]) for s in sentence.unique_consecutive()]
        )
        centre, context = torch.where(inside)
        found = torch.stack([words[centre], words[context]], dim=1)
        assert sorted(found.tolist()) == sorted(expected.tolist())


def test_epochs_differ_and_can_be_had_again() -> None:
    tokens, sentence, counts = corpus()
    data = word2vec.Epochs(tokens, sentence, counts, threshold=1.0, seed=3)
    first, again, second = data(0), data(0), data(1)
    assert all(torch.equal(a, b) for x, y in zip(first, again, strict=True) for a, b in zip(x, y, strict=True))
    assert not torch.equal(first[0].tokens, second[0].tokens)
    assert first[0].tokens.shape == (48, 32)
    assert 0 < len(first[-1].tokens) <= 48


def test_negatives_come_in_proportion_to_count_to_the_three_quarters() -> None:
    counts = torch.tensor([1000, 100, 10, 1])
    data = word2vec.Epochs(torch.zeros(10, dtype=torch.long), torch.zeros(10, dtype=torch.long), counts)
    share = torch.bincount(data.noise, minlength=4) / len(data.noise)
    torch.testing.assert_close(share, counts**0.75 / (counts**0.75).sum(), rtol=1e-3, atol=1e-5)


def test_it_learns_who_stands_together(device: torch.device) -> None:
    tokens, sentence, counts = corpus(40_000)
    data = word2vec.Epochs(tokens, sentence, counts, threshold=1.0, window=2, device=device)
    model = word2vec.SkipGram(len(counts), dim=12, negatives=4, rate=0.02, device=device)
    history = train.fit(model, data, epochs=30, schedule=train.linear())
    assert history.losses[-1] < 0.9 * history.losses[0]
    unit = normalize(model.input, dim=1)
    nearest = (unit @ unit.T).fill_diagonal_(-2).argmax(1).cpu()
    distance = (nearest - torch.arange(len(counts))).remainder(len(counts))
    assert ((distance <= 3) | (distance >= len(counts) - 3)).float().mean() > 0.9


def test_it_trains_on_a_second_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that it makes is on the CPU, and the CPU's numbers come out."""
    tokens, sentence, counts = corpus()
    expected = train.fit(
        word2vec.SkipGram(30), word2vec.Epochs(tokens, sentence, counts, threshold=1.0), steps=7
    ).losses
    with second_device(monkeypatch) as there:
        data = word2vec.Epochs(tokens, sentence, counts, threshold=1.0, device=THERE)
        model = word2vec.SkipGram(30, device=THERE)
        assert train.fit(model, data, steps=7).losses == pytest.approx(expected)
        assert all(map(there.is_there, (model.input, data(0)[0].tokens)))


def test_a_run_can_be_resumed(tmp_path: Path) -> None:
    tokens, sentence, counts = corpus()
    data = word2vec.Epochs(tokens, sentence, counts, threshold=1.0)
    whole, part = (word2vec.SkipGram(len(counts)) for _ in range(2))
    expected = train.fit(whole, data, steps=40).losses
    file = tmp_path / "vectors.safetensors"
    train.fit(part, data, steps=17, save=file)
    fresh = word2vec.SkipGram(len(counts), seed=9)
    assert train.fit(fresh, data, steps=40, save=file).losses == pytest.approx(expected, abs=1e-5)
    torch.testing.assert_close(fresh.input, whole.input)


@given(st.lists(st.integers(0, 6), max_size=12), st.data())
@settings(max_examples=60, deadline=None)
def test_window_pairs_are_those_of_two_loops(words: list[int], data: st.DataObject) -> None:
    radius = data.draw(st.lists(st.integers(1, 5), min_size=len(words), max_size=len(words)))
    found = word2vec.window_pairs(torch.tensor(words, dtype=torch.long), torch.tensor(radius, dtype=torch.long))
    expected = [
        [words[i], words[j]] for i in range(len(words)) for j in range(len(words)) if i != j and abs(i - j) <= radius[i]
    ]
    assert found.tolist() == expected
    assert found.shape == (len(expected), 2)


@given(st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_one_hot_times_a_table_is_a_lookup(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    ids, table = torch.randint(9, (5,), generator=generator), torch.randn(9, 4, generator=generator)
    torch.testing.assert_close(word2vec.one_hot(ids, 9) @ table, word2vec.embed(ids, table))


@given(st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_weat_laws(seed: int) -> None:
    """Swapping the targets, or the attributes, turns the sign; lengths do not matter; equal sets stay below 2."""
    generator = torch.Generator().manual_seed(seed)
    x, y, a, b = (torch.randn(6, 5, generator=generator) for _ in range(4))
    d = word2vec.weat(x, y, a, b)
    torch.testing.assert_close(word2vec.weat(y, x, a, b), -d)
    torch.testing.assert_close(word2vec.weat(x, y, b, a), -d)
    torch.testing.assert_close(word2vec.weat(3 * x, y, a / 7, b), d, rtol=1e-4, atol=1e-5)
    assert abs(d) < 2


def test_the_p_value_is_small_where_the_sets_are_apart() -> None:
    right, up = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    x, y = right + 0.1 * torch.rand(8, 2), up + 0.1 * torch.rand(8, 2)
    assert word2vec.weat_p_value(x, y, right, up) < 0.001
    assert word2vec.weat_p_value(y, x, right, up) > 0.999
    assert 0.1 < word2vec.weat_p_value(*(torch.randn(8, 20) for _ in range(4))) <= 1


def test_many_analogies_at_once_are_those_one_by_one() -> None:
    vectors = torch.randn(40, 8)
    questions = torch.randint(40, (30, 4))
    expected = [word2vec.analogy(vectors, *question[:3], k=1).item() for question in questions.tolist()]
    assert word2vec.answers(vectors, questions, chunk=7).tolist() == expected
    questions[:, 3] = torch.tensor(expected)
    assert word2vec.accuracy(vectors, questions) == 1.0
    assert not set(expected[0:1]) & set(questions[0, :3].tolist())


def test_questions_with_unknown_words_are_left_out() -> None:
    index = {"a": 0, "b": 1, "c": 2, "d": 3, "rare": 9}
    asked = [("a", "b", "c", "d"), ("a", "b", "c", "new"), ("a", "b", "c", "rare")]
    assert word2vec.question_ids(asked, index, 5).tolist() == [[0, 1, 2, 3]]
    assert word2vec.question_ids([], index, 5).shape == (0, 4)


def test_cooccurrence_counts_what_windows_expect() -> None:
    """Over all radii, the expected number of pairs is the count, in both directions."""
    tokens, sentence = torch.tensor([0, 1, 2, 1, 3, 0]), torch.tensor([0, 0, 0, 0, 1, 1])
    expected = torch.zeros(4, 4)
    for radius in (1, 2, 3):
        for s in (0, 1):
            words = tokens[sentence == s]
            for centre, context in word2vec.window_pairs(words, torch.full((len(words),), radius)).tolist():
                expected[centre, context] += 1 / 3
    torch.testing.assert_close(word2vec.cooccurrence(tokens, sentence, 4, window=3).to_dense(), expected)


def test_ppmi_is_the_log_ratio_where_it_is_positive() -> None:
    counts = torch.tensor([[4.0, 1.0], [1.0, 9.0]])
    together, alone = counts / counts.sum(), counts.sum(1) / counts.sum()
    expected = (together / (alone[:, None] * alone[None, :])).log().clamp(min=0)
    got = word2vec.ppmi(counts.to_sparse(), smoothing=1.0).to_dense()
    torch.testing.assert_close(got, expected)
    shifted = word2vec.ppmi(counts.to_sparse(), smoothing=1.0, shift=1.5).to_dense()
    torch.testing.assert_close(shifted, (expected - math.log(1.5)).clamp(min=0))


def test_the_truncated_svd_is_that_of_lapack() -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(60, 8, generator=generator) @ torch.randn(8, 60, generator=generator)
    matrix = matrix + 0.01 * torch.randn(60, 60, generator=generator)
    got = word2vec.truncated_svd(matrix.to_sparse(), 5, power=1.0)
    left, values, _ = torch.linalg.svd(matrix)
    expected = left[:, :5] * values[:5]
    torch.testing.assert_close(got @ got.T, expected @ expected.T, rtol=1e-3, atol=1e-2)


@pytest.mark.slow
def test_counting_and_squeezing_show_how_far_they_are_and_come_to_the_same() -> None:
    seen = []

    def watch(things, what):
        for thing in things:
            seen.append((what, thing))
            yield thing

    tokens, sentence = (
        torch.randint(6, (80,), generator=torch.Generator().manual_seed(0)),
        torch.zeros(80, dtype=torch.long),
    )
    counts = word2vec.cooccurrence(tokens, sentence, 6, window=3, watch=watch)
    torch.testing.assert_close(counts.to_dense(), word2vec.cooccurrence(tokens, sentence, 6, window=3).to_dense())
    matrix = word2vec.ppmi(counts, shift=0.5)
    vectors = word2vec.truncated_svd(matrix, 3, rounds=2, watch=watch)
    torch.testing.assert_close(vectors, word2vec.truncated_svd(matrix, 3, rounds=2))
    assert seen == [("counting", 1), ("counting", 2), ("counting", 3), ("squeezing", 0), ("squeezing", 1)]
