"""A mixture of experts, forward and backward, against a loop over experts and a dense layer of equal FLOPs a token.

    python bench/experts.py            about half a minute on one core
    python bench/experts.py --quick    a few seconds

The loop is how transformers runs its mixtures (`MixtralExperts`): for each expert look up who chose it, take those
rows, ask, add the answers where they belong. It has our weights and drops nothing; where we drop nothing either, both
must answer the same. The dense layer's hidden layer is as wide as those of the experts that a token is sent to. All
take turns in one process and medians are compared; peak memory is that of a process that does one of them only.

Where experts are large, all three do little but multiply matrices: a mixture then takes a dense layer's time at best,
and so does the loop. Where there are many small ones, the loop is what takes the time. Exits with 1 if a ratio is below
what is asked for.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from _sides import in_turn, peak_memory, peak_of, ratio, verdict
from torch import Tensor, nn

from squint.nn.experts import MixtureOfExperts, route
from squint.nn.transformer import FeedForward

OURS, LOOP, DENSE = SIDES = ("squint", "loop", "dense")
WANTED = {LOOP: 2.0, DENSE: 1 / 1.3}
"""How many times as fast as each ours has to be."""


class Case(NamedTuple):
    """Sizes."""

    tokens: int
    dim: int
    hidden: int
    experts: int
    top: int

    def __str__(self) -> str:
        return f"{self.top} of {self.experts} × {self.hidden}, width {self.dim}, {self.tokens:,} tokens"


CASES = {
    "lab 06": Case(512, 16, 32, 16, 2),
    "large": Case(4_096, 128, 512, 8, 2),
    "many": Case(1_024, 64, 32, 64, 4),
}


class Loop(nn.Module):
    """The reference: one expert after the other."""

    def __init__(self, networks: list[FeedForward], router: nn.Linear, top: int):
        super().__init__()
        self.networks, self.router, self.top = nn.ModuleList(networks), router, top

    def forward(self, x: Tensor) -> Tensor:
        """Each token's experts, each by its weight."""
        weights, chosen, _ = route(self.router(x), self.top)
        out = torch.zeros_like(x)
        with torch.no_grad():
            mask = F.one_hot(chosen, len(self.networks)).permute(2, 1, 0)
            hit = (mask.sum(dim=(1, 2)) > 0).nonzero().flatten().tolist()
        for expert in hit:
            choice, token = torch.where(mask[expert])
            answers = self.networks[expert](x[token]) * weights[token, choice, None]
            out.index_add_(0, token, answers)
        return out


def layers(case: Case) -> dict[str, nn.Module]:
    """The three; the first two have the same weights."""
    torch.manual_seed(0)
    networks = [FeedForward(case.dim, case.hidden) for _ in range(case.experts)]
    ours = MixtureOfExperts.of(networks, top=case.top)
    return {
        OURS: ours,
        LOOP: Loop(networks, ours.router, case.top),
        DENSE: FeedForward(case.dim, case.top * case.hidden),
    }


def work_of(case: Case, layer: nn.Module) -> Callable[[], None]:
    """One pass forward and backward."""
    x, outer = torch.randn(2, case.tokens, case.dim).unbind()

    def work() -> None:
        layer(x.requires_grad_()).backward(outer)
        x.grad = None
        layer.zero_grad()

    return work


def judge(name: str, case: Case, rounds: int) -> bool:
    """Print one case; whether it is as fast as asked."""
    made = layers(case)
    ours, x = made[OURS], torch.randn(case.tokens, case.dim)
    ours.capacity = None
    with torch.no_grad():
        torch.testing.assert_close(ours(x), made[LOOP](x))
    ours.capacity = 1.25
    times = in_turn({side: work_of(case, layer) for side, layer in made.items()}, rounds)
    memory = {side: peak_memory(__file__, side, name) for side in SIDES}
    print(f"{case}; {100 * ours.dropped.item():.1f} % dropped")
    print(f"{'':>10} {'ms':>8} {'peak memory, MB':>17}")
    for side in SIDES:
        print(f"{side:>10} {1e3 * statistics.median(times[side]):>8.2f} {memory[side]:>17.1f}")
    found = {side: ratio(times, OURS, side) for side in WANTED}
    print("; ".join(f"beside {side} {verdict(found[side], wanted)}" for side, wanted in WANTED.items()), flush=True)
    return all(found[side] >= wanted for side, wanted in WANTED.items())


def main() -> int:
    """Print all cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="five rounds instead of forty")
    parser.add_argument("--memory-of", nargs=2, metavar=("SIDE", "CASE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        side, name = options.memory_of
        work = work_of(CASES[name], layers(CASES[name])[side])
        print(peak_of(lambda: (work(), work())))
        return 0
    print(f"forward and backward, {torch.get_num_threads()} threads, torch {torch.__version__}")
    fast = [judge(name, case, 5 if options.quick else 40) for name, case in CASES.items()]
    return int(not all(fast))


if __name__ == "__main__":
    sys.exit(main())
