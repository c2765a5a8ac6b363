"""A training step of the course's GPT against transformers' `GPT2LMHeadModel` with the same weights, on the same batch.

    python bench/gpt.py            about a minute on two cores
    python bench/gpt.py --quick    less than half of that

Both sides have lab 04's shape, no dropout, ReLU, the same cross-entropy and fused AdamW, and keep no cache; their first
losses must agree. They take turns in one process and medians are compared. Peak memory is that of a process that trains
one side only, over what it takes before its first step. Exits with 1 if the ratio is below what is asked for.
"""

import argparse
import statistics
import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from _sides import in_turn, peak_memory, peak_of, ratio, verdict
from _theirs import gpt2

from squint.models.gpt import GPT, Config

CONFIG = Config(6_000, dropout=0.0)
BATCH, WANTED = 8, 1.1
OURS, THEIRS = SIDES = ("squint", "transformers")


def step_of(side: str) -> Callable[[], float]:
    """A function that takes one training step and returns the loss before it."""
    torch.manual_seed(0)
    tokens = torch.randint(CONFIG.vocabulary, (BATCH, CONFIG.tokens + 1))
    ours = GPT(CONFIG)
    model = (ours if side == OURS else gpt2(ours)).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def their_loss() -> torch.Tensor:
        logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
        return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

    def step() -> float:
        loss = ours.loss(tokens) if side == OURS else their_loss()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        return loss.item()

    return step


def main() -> int:
    """Print medians, the ratio and memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three rounds instead of fifteen")
    parser.add_argument("--memory-of", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        step = step_of(options.memory_of)
        print(peak_of(lambda: (step(), step())))
        return 0
    steps = {side: step_of(side) for side in SIDES}
    first = [step() for step in steps.values()]
    assert abs(first[0] - first[1]) < 1e-4, first
    times = in_turn(steps, 3 if options.quick else 15)
    found, memory = ratio(times, OURS, THEIRS), {side: peak_memory(__file__, side) for side in SIDES}
    print(f"training step, {CONFIG.blocks} blocks of {CONFIG.dim}, vocabulary {CONFIG.vocabulary:,}, ", end="")
    print(f"{BATCH} × {CONFIG.tokens} tokens, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{'':>14} {'ms':>8} {'tokens/s':>10} {'peak memory, MB':>17}")
    for side in SIDES:
        seconds = statistics.median(times[side])
        print(f"{side:>14} {1e3 * seconds:>8.0f} {BATCH * CONFIG.tokens / seconds:>10.0f} {memory[side]:>17.0f}")
    print(f"squint is {verdict(found, WANTED)}, in {memory[OURS] / max(memory[THEIRS], 1):.2f}× the memory.")
    return int(found < WANTED)


if __name__ == "__main__":
    sys.exit(main())
