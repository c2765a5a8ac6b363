"""A training step of the course's GPT against transformers' `GPT2LMHeadModel` with the same weights, on the same batch.

    python bench/gpt.py            about a minute on two cores
    python bench/gpt.py --quick    less than half of that

The shapes are lab 04's model and the largest that lab 06 trains. What ours saves is most of all the table of scores; of
256 bytes there is none to speak of, and both sides spend their time in the same kernels.

Both sides have no dropout, ReLU, the same cross-entropy and fused AdamW, and keep no cache; their first losses must
agree. They take turns in one process and medians are compared. Peak memory is that of a process that trains one side
only, over what it takes before its first step. Exits with 1 if a ratio is below what is asked for.
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

CASES = {
    "lab 04": (Config(6_000, dropout=0.0), 8, 15, 1.1),
    "lab 06": (Config(256, dim=64, heads=4, hidden=256, blocks=2, dropout=0.0, tokens=64), 8, 100, 1.1),
}
"""The shape, sequences a step, rounds, and how many times as fast ours has to be."""
OURS, THEIRS = SIDES = ("squint", "transformers")


def step_of(side: str, case: str) -> Callable[[], float]:
    """A function that takes one training step and returns the loss before it."""
    config, batch, *_ = CASES[case]
    torch.manual_seed(0)
    tokens = torch.randint(config.vocabulary, (batch, config.tokens + 1))
    ours = GPT(config)
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


def compare(case: str, quick: bool) -> bool:
    """Print medians, the ratio and memory of one case; whether it is as fast as asked."""
    config, batch, rounds, wanted = CASES[case]
    steps = {side: step_of(side, case) for side in SIDES}
    first = [step() for step in steps.values()]
    assert abs(first[0] - first[1]) < 1e-4, first
    times = in_turn(steps, rounds // 5 if quick else rounds)
    found, memory = ratio(times, OURS, THEIRS), {side: peak_memory(__file__, side, case) for side in SIDES}
    print(f"{case}: training step, {config.blocks} blocks of {config.dim}, vocabulary {config.vocabulary:,}, ", end="")
    print(f"{batch} × {config.tokens} tokens, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{'':>14} {'ms':>8} {'tokens/s':>10} {'peak memory, MB':>17}")
    for side in SIDES:
        seconds = statistics.median(times[side])
        print(f"{side:>14} {1e3 * seconds:>8.1f} {batch * config.tokens / seconds:>10.0f} {memory[side]:>17.0f}")
    print(
        f"squint is {verdict(found, wanted)}, in {memory[OURS] / max(memory[THEIRS], 1):.2f}× the memory.", flush=True
    )
    return found >= wanted


def main() -> int:
    """Compare all cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a fifth of the rounds")
    parser.add_argument("--memory-of", nargs=2, metavar=("SIDE", "CASE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        step = step_of(*options.memory_of)
        print(peak_of(lambda: (step(), step())))
        return 0
    fast = [compare(case, options.quick) for case in CASES]
    return int(not all(fast))


if __name__ == "__main__":
    sys.exit(main())
