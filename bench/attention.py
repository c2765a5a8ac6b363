"""Attention, forward and backward, against PyTorch's own, and how the cost grows with the length.

    python bench/attention.py            about a minute on two cores
    python bench/attention.py --quick    a few seconds, for a first look

Both sides run in turn in one process and medians are compared, so a busy machine slows both alike. The last column is
the fused kernel alone, without any projection: what no module that uses it can beat.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from squint.nn.attention import MultiHeadAttention, join_heads, scaled_dot_product, split_heads

DIM, HEADS, TOKENS_A_BATCH = 256, 8, 2048
LENGTHS = (64, 128, 256, 512, 1024)

Candidate = Callable[[torch.Tensor], torch.Tensor]


def candidates() -> dict[str, Candidate]:
    """What is compared: every one maps `batch tokens dim` to the same shape."""
    ours = MultiHeadAttention(DIM, HEADS)
    written_out = MultiHeadAttention(DIM, HEADS, attention=scaled_dot_product)
    theirs = torch.nn.MultiheadAttention(DIM, HEADS, batch_first=True)

    def kernel(x: torch.Tensor) -> torch.Tensor:
        part = split_heads(x, HEADS)
        return join_heads(F.scaled_dot_product_attention(part, part, part))

    return {
        "squint": ours,
        "squint, written out": written_out,
        "nn.MultiheadAttention": lambda x: theirs(x, x, x, need_weights=False)[0],
        "nn.MultiheadAttention with weights": lambda x: theirs(x, x, x)[0],
        "F.scaled_dot_product_attention": kernel,
    }


def seconds(candidate: Candidate, x: torch.Tensor) -> float:
    """Wall time of one forward and backward pass."""
    start = time.perf_counter()
    candidate(x).sum().backward()
    return time.perf_counter() - start


def medians(x: torch.Tensor, rounds: int) -> dict[str, float]:
    """Median seconds of each candidate. All run once a round, and the first round only warms up."""
    several = candidates()
    runs: dict[str, list[float]] = {name: [] for name in several}
    for _ in range(rounds + 1):
        for name, candidate in several.items():
            runs[name].append(seconds(candidate, x))
    return {name: statistics.median(times[1:]) for name, times in runs.items()}


def main() -> None:
    """Print a table of medians and ratios, then cost a token against length."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three rounds instead of twenty-five")
    rounds = 3 if parser.parse_args().quick else 25
    torch.manual_seed(0)
    print(f"forward + backward, dim {DIM}, {HEADS} heads, {TOKENS_A_BATCH} tokens a batch, ", end="")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, median of {rounds}")
    print(f"{'n':>5} {'squint ms':>10} {'µs/token':>9}   squint is … times as fast as")
    names = [name for name in candidates() if name != "squint"]
    print(" " * 28 + "  ".join(names))
    for n in LENGTHS:
        x = torch.randn(TOKENS_A_BATCH // n, n, DIM, requires_grad=True)
        times = medians(x, rounds)
        ratios = "  ".join(f"{times[name] / times['squint']:>{len(name) - 1}.2f}×" for name in names)
        print(f"{n:>5} {1e3 * times['squint']:>10.1f} {1e6 * times['squint'] / TOKENS_A_BATCH:>9.1f}   {ratios}")


if __name__ == "__main__":
    main()
