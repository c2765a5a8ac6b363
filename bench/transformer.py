"""A training step of lab 03's Transformer against `torch.nn.Transformer` of the same shape, on the same batches.

    python bench/transformer.py            about four minutes on two cores
    python bench/transformer.py --quick    less than one

Both sides have six blocks each way, tied embeddings, dropout 0.1, label smoothing and AdamW; the other side is what one
would write with PyTorch's modules. They take turns in one process and medians are compared, so a busy machine slows
both alike. Peak memory is that of a process that trains one side only.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from _sides import peak_memory, peak_of

from squint.data import translations
from squint.models.seq2seq import Config, Seq2Seq, shift_right, translation_loss
from squint.nn.positions import sinusoidal
from squint.text.bpe import BPE, Ragged, bucketed

CONFIG = Config(8_000, dim=192, heads=4, hidden=768, blocks=6)
Loss = Callable[[torch.nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]


class Theirs(torch.nn.Module):
    """Embeddings, `nn.Transformer` and tied logits."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.embedding = torch.nn.Embedding(config.vocabulary, config.dim, config.padding)
        self.register_buffer("positions", sinusoidal(config.tokens, config.dim))
        self.dropout = torch.nn.Dropout(config.dropout)
        self.transformer = torch.nn.Transformer(
            config.dim, config.heads, config.blocks, config.blocks, config.hidden, config.dropout,
            batch_first=True, norm_first=config.norm_first,
        )  # fmt: skip

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Embeddings and positions."""
        return self.dropout(self.embedding(tokens) * math.sqrt(self.config.dim) + self.positions[: tokens.shape[1]])

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Logits of every place."""
        padding = source == self.config.padding
        # Without padding there is no mask to pay for, here as in squint.
        hidden = padding if bool(padding.any()) else None
        causal = torch.nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        x = self.transformer(
            self.embed(source), self.embed(target), tgt_mask=causal, tgt_is_causal=True,
            src_key_padding_mask=hidden, memory_key_padding_mask=hidden,
        )  # fmt: skip
        return F.linear(x, self.embedding.weight)


def our_loss(model: torch.nn.Module, source: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Squint's: logits of real tokens only."""
    return translation_loss(model, source, labels, 0.1)


def their_loss(model: torch.nn.Module, source: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """PyTorch's cross-entropy, which smooths labels and ignores padding."""
    logits = model(source, shift_right(labels))
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=0, label_smoothing=0.1)


SIDES: dict[str, tuple[type[torch.nn.Module], Loss]] = {
    "squint": (Seq2Seq, our_loss),
    "nn.Transformer": (Theirs, their_loss),
}


def step_of(side: str) -> Callable[[torch.Tensor, torch.Tensor], float]:
    """A function that takes one training step and returns its seconds."""
    torch.manual_seed(0)
    make, loss_of = SIDES[side]
    model = make(CONFIG).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step(source: torch.Tensor, labels: torch.Tensor) -> float:
        start = time.perf_counter()
        loss_of(model, source, labels).backward()
        optimiser.step()
        optimiser.zero_grad()
        return time.perf_counter() - start

    return step


def batches(tokens: int, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Bucketed batches of the course's English–German pairs, `tokens` a side."""
    pairs = translations.load("train")
    english, german = pairs.english[::9], pairs.german[::9]
    pieces = BPE.train(english + german, CONFIG.vocabulary)
    source, target = (Ragged.of(pieces.encode(texts, end=True)) for texts in (english, german))
    drawn = bucketed(source.length, target.length, tokens, torch.Generator().manual_seed(0))[:count]
    return [(source.padded(rows), target.padded(rows)) for rows in drawn]


def report_memory(side: str, tokens: int) -> None:
    """In a process of its own: print the peak in megabytes."""
    rows = torch.randint(3, CONFIG.vocabulary, (tokens // 16, 16))

    def two_steps() -> None:
        step = step_of(side)
        for _ in range(2):
            step(rows, rows)

    print(peak_of(two_steps))


def main() -> None:
    """Print medians, ratios and memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller batches")
    parser.add_argument("--tokens", type=int, help="the most tokens a side of a batch; 2,048, or 768 when quick")
    parser.add_argument("--memory-of", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    tokens = options.tokens or (768 if options.quick else 2_048)
    if options.memory_of:
        return report_memory(options.memory_of, tokens)
    rounds, count = (5, 6) if options.quick else (15, 24)
    epoch = batches(tokens, count)
    steps = {side: step_of(side) for side in SIDES}
    real = [int((labels != 0).sum()) for _, labels in epoch]
    same: dict[str, list[float]] = {side: [] for side in SIDES}
    whole: dict[str, list[float]] = {side: [] for side in SIDES}
    for number in range(rounds + 1):
        for side, step in steps.items():
            seconds = step(*epoch[0])
            if number:
                same[side].append(seconds)
    for batch in epoch:
        for side, step in steps.items():
            whole[side].append(step(*batch))
    memory = {side: peak_memory(__file__, side, "--tokens", str(tokens)) for side in SIDES}
    print(
        f"training step, {CONFIG.blocks}+{CONFIG.blocks} blocks of {CONFIG.dim}, vocabulary {CONFIG.vocabulary:,}, ",
        end="",
    )
    print(f"{tokens:,} tokens a side, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{'':>16} {'one batch, ms':>14} {'tokens/s over a bucketed epoch':>31} {'peak memory, MB':>16}")
    speed = {side: sum(real) / sum(whole[side]) for side in SIDES}
    for side in SIDES:
        print(f"{side:>16} {1e3 * statistics.median(same[side]):>14.0f} {speed[side]:>31.0f} {memory[side]:>16.0f}")
    ratio = statistics.median(b / a for a, b in zip(same["squint"], same["nn.Transformer"], strict=True))
    print(
        f"squint is {ratio:.2f}× as fast on the batch, {speed['squint'] / speed['nn.Transformer']:.2f}× over the epoch,"
    )
    print(f"in {memory['squint'] / max(memory['nn.Transformer'], 1):.2f}× the memory.")
    return None


if __name__ == "__main__":
    main()
