"""Scoring questions behind four examples: lab 05's own code on SmolLM2 against a loop over transformers' Llama.

    python bench/few_shot.py            some three minutes on two quiet cores
    python bench/few_shot.py --quick    one

Both sides have the same weights and give each answer to an item its log-likelihood; these must agree. The lab reads
what all prompts begin with once, and then questions and answers side by side. The loop goes item by item, as one does:
the whole prompt in one forward pass, its answers the rows of a batch. It computes scores of words only where an answer
stands, as the lab does. Both start from text. They take turns in one process and medians are compared. Peak memory is
that of a process that rates with one side, over the model. Exits with 1 if a ratio is below what is asked for.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import _theirs
import torch
from _sides import heading, line, peak_of
from torch.nn.utils.rnn import pad_sequence

from squint.checks.solution import Source
from squint.data import tasks
from squint.models import llama

WANTED = 4.0
SHOTS, ITEMS = 4, 32
CASES = ("past", "sentiment")
"""Three answers of some letters behind short lines; two labels behind sentences."""
OURS, THEIRS = SIDES = ("squint", "transformers")


@functools.cache
def lab() -> dict[str, Any]:
    """What lab 05 defines, as far as it is needed here, in its solution."""
    source = Source.of_lab("05")
    source.names["lab"] = SimpleNamespace(device=torch.device("cpu"))
    return source.resolve("rate, smol, prompt, options")


def asked(case: str) -> tuple[list[str], list[list[str]]]:
    """The prompts, and for each the answers that it is asked about."""
    task = tasks.load()[case]
    shots = [(shot.question, shot.answer) for shot in task.shots[:SHOTS]]
    prompts = [lab()["prompt"](shots, item.question) for item in task.items[:ITEMS]]
    return prompts, [[f" {answer}\n" for answer in row] for row in lab()["options"](task, ITEMS)]


@torch.inference_mode()
def one_by_one(model: torch.nn.Module, prompts: list[str], answers: list[list[str]]) -> torch.Tensor:
    """The log-likelihood of every answer to every item, by the library's model."""
    begin, encode, found = lab()["BEGIN"], lab()["encode"], []
    for prompt, row in zip(prompts, answers, strict=True):
        start = torch.tensor([begin, *encode(prompt)])
        said = pad_sequence([torch.tensor(encode(answer)) for answer in row], batch_first=True, padding_value=-1)
        tokens = torch.cat([start.expand(len(said), -1), said.clamp(min=0)], dim=1)[:, :-1]
        # Filling stands behind the answers, where a causal model sees none of it.
        logits = model(input_ids=tokens, use_cache=False, logits_to_keep=said.shape[1]).logits
        likely = logits.log_softmax(dim=-1).gather(2, said.clamp(min=0)[..., None])[..., 0]
        found.append((likely * (said >= 0)).sum(dim=1))
    return torch.cat(found)


def rater(side: str, case: str) -> Callable[[], torch.Tensor]:
    """A function that returns the log-likelihoods of all answers, item by item."""
    texts, rate, smol = asked(case), lab()["rate"], lab()["smol"]
    if side == OURS:
        return lambda: torch.stack([likely for row in rate(smol, *texts) for likely, _ in row])
    theirs = _theirs.llama(llama.smollm2()[0]).eval()
    return lambda: one_by_one(theirs, *texts)


def main() -> int:
    """Print a table of both sides' speed and memory, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round instead of five")
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        work = rater(*options.memory_of)
        print(peak_of(work))
        return 0
    heading(f"items/s, {ITEMS} items behind {SHOTS} shots, {torch.get_num_threads()} threads")
    failed = False
    for case in CASES:
        raters = {side: rater(side, case) for side in SIDES}
        torch.testing.assert_close(*(work() for work in raters.values()), rtol=0, atol=1e-3)
        failed |= not line(__file__, case, raters, 1 if options.quick else 5, ITEMS, WANTED)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
