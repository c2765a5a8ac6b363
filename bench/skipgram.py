"""Skip-gram training against gensim: words a second, and what the vectors are worth.

Both sides train on the same tokens with dimension 100, window 5, 8 negatives and subsampling at 0.001, on two threads.
gensim is given five epochs, its default. Ours is given five epochs too, to compare speed and the whole of Google's
analogies, and then as many as fit into gensim's time, to compare the family section at equal wall time.

    python bench/skipgram.py            about five minutes
    python bench/skipgram.py --quick    under a minute: one epoch of gensim, and the words a second only
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from squint import train
from squint.data import analogies, texts
from squint.models import word2vec

DIM, WINDOW, NEGATIVES, THRESHOLD, CANDIDATES, THREADS = 100, 5, 8, 1e-3, 20_000, 2


@dataclass
class Result:
    """What one training gave: seconds, raw words a second, share right of all and of the family analogies."""

    name: str
    epochs: int
    seconds: float
    speed: float
    total: float
    family: float

    def row(self) -> str:
        """The result as a line of the table."""
        return (
            f"{self.name:<24} {self.epochs:>6} {self.seconds:>8.1f} {self.speed:>10,.0f} "
            f"{self.total:>8.1%} {self.family:>8.1%}"
        )


def scores(vectors: Tensor, vocab: list[str]) -> tuple[float, float]:
    index = {word: i for i, word in enumerate(vocab)}
    sections = {
        name: word2vec.question_ids(questions, index, CANDIDATES) for name, questions in analogies.load().items()
    }
    among = vectors[:CANDIDATES]
    return word2vec.accuracy(among, torch.cat(list(sections.values()))), word2vec.accuracy(among, sections["family"])


def gensim(corpus: texts.Corpus, epochs: int, seed: int) -> Result:
    from gensim.models import Word2Vec

    words = [corpus.vocab[token] for token in corpus.tokens.tolist()]
    lengths = corpus.sentence.unique_consecutive(return_counts=True)[1].tolist()
    parts = iter(words)
    sentences = [[next(parts) for _ in range(length)] for length in lengths]
    model = Word2Vec(
        vector_size=DIM,
        window=WINDOW,
        negative=NEGATIVES,
        sample=THRESHOLD,
        sg=1,
        min_count=1,
        workers=THREADS,
        seed=seed,
    )
    model.build_vocab(sentences)
    started = time.perf_counter()
    model.train(sentences, total_examples=model.corpus_count, epochs=epochs)
    seconds = time.perf_counter() - started
    vectors = torch.stack([torch.from_numpy(model.wv[word].copy()) for word in corpus.vocab])
    return Result("gensim 4.4", epochs, seconds, epochs * len(words) / seconds, *scores(vectors, corpus.vocab))


def squint(corpus: texts.Corpus, epochs: int, seed: int) -> Result:
    started = time.perf_counter()
    data = word2vec.Epochs(corpus.tokens, corpus.sentence, corpus.counts, window=WINDOW, threshold=THRESHOLD, seed=seed)
    model = word2vec.SkipGram(len(corpus.vocab), DIM, negatives=NEGATIVES, seed=seed)
    train.fit(model, data, epochs=epochs, schedule=train.linear(), seed=seed, label="skip-gram")
    seconds = time.perf_counter() - started
    speed = epochs * len(corpus.tokens) / seconds
    return Result("squint", epochs, seconds, speed, *scores(model.input, corpus.vocab))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one epoch of gensim, one repetition")
    quick = parser.parse_args().quick
    torch.set_num_threads(THREADS)
    corpus = texts.corpus()
    print(f"{len(corpus.tokens):,} tokens, {len(corpus.vocab):,} words; dimension {DIM}, window {WINDOW}, "
          f"{NEGATIVES} negatives, {THREADS} threads; {CANDIDATES:,} candidates")  # fmt: skip
    print(f"{'':<24} {'epochs':>6} {'seconds':>8} {'words/s':>10} {'total':>8} {'family':>8}")

    repeats, epochs = (1, 1) if quick else (2, 5)
    squint(corpus, 1, seed=9)
    theirs, ours = [], []
    for seed in range(repeats):
        # Taken in turns, so that a machine that slows down slows down both.
        theirs.append(gensim(corpus, epochs, seed))
        print(theirs[-1].row(), flush=True)
        ours.append(squint(corpus, 5, seed))
        print(ours[-1].row(), flush=True)
    speed, base = (statistics.median(result.speed for result in side) for side in (ours, theirs))
    print(f"words per second: {speed / base:.2f}x")
    if quick:
        return
    seconds = statistics.median(result.seconds for result in theirs)
    equal = squint(corpus, max(1, math.floor(seconds * speed / len(corpus.tokens))), seed=0)
    print(f"{equal.row()}   in gensim's time")
    for name in ("total", "family"):
        had, got = (statistics.median(getattr(result, name) for result in side) for side in (theirs, ours))
        print(f"{name}: {got:.1%} after as many epochs, {getattr(equal, name):.1%} after as long, against {had:.1%}")


if __name__ == "__main__":
    main()
