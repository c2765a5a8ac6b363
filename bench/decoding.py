"""Writing on with a cache, greedily, against transformers' `generate` with the same weights: GPT, and SmolLM2.

    python bench/decoding.py            some five minutes on two cores
    python bench/decoding.py --quick    about two

The course's trained GPT stands against `GPT2LMHeadModel`, and SmolLM2-135M in the course's Llama against
`LlamaForCausalLM`. Both sides write as many tokens, and must write the same. They take turns in one process and medians
are compared. Peak memory is that of a process that writes with one side, over the model. Exits with 1 if a ratio is
below what is asked for.
"""

import argparse
import functools
import sys
from collections.abc import Callable

import _theirs
import torch
from _sides import heading, line, peak_of

from squint.data import books
from squint.models import gpt, llama
from squint.text.sampling import generate

WANTED = 1.3
OURS, THEIRS = SIDES = ("squint", "transformers")
CASES = {
    "gpt, 1 text": (1, 128, 2), "gpt, 16 texts": (16, 128, 2), "smollm2, 1 text, 1 thread": (1, 128, 1),
    "smollm2, 1 text": (1, 128, 2), "smollm2, 4 texts": (4, 64, 2),
}  # fmt: skip
"""How many texts are gone on with, by how many tokens, and with how many threads."""
KNOWN = 16


@functools.cache
def beginnings(case: str) -> torch.Tensor:
    """The first tokens of the held-out ends of books: [texts, KNOWN]."""
    texts = [text for name in books.NAMES for text in books.source(name).ends[:4]][: CASES[case][0]]
    if case.startswith("gpt"):
        return torch.stack([row[:KNOWN] for row in books.encoded(gpt.pretrained()[1], [text[:400] for text in texts])])
    return torch.tensor([llama.smollm2()[1].encode(text[:400]).ids[:KNOWN] for text in texts])


def writer(side: str, case: str) -> Callable[[], torch.Tensor]:
    """A function that writes on, and returns beginnings and all that was written. Sets the case's threads."""
    (_, new, threads), tokens = CASES[case], beginnings(case)
    torch.set_num_threads(threads)
    model = gpt.pretrained()[0] if case.startswith("gpt") else llama.smollm2()[0]
    if side == OURS:
        return lambda: generate(model, tokens, new, temperature=0)
    theirs = (_theirs.gpt2 if case.startswith("gpt") else _theirs.llama)(model).eval()
    # They warn where no mask is given; one of ones costs them nothing.
    return lambda: theirs.generate(
        input_ids=tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=new, do_sample=False, pad_token_id=0
    )


def main() -> int:
    """Print a table of both sides' speed and memory, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two rounds instead of nine")
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        work = writer(*options.memory_of)
        print(peak_of(work))
        return 0
    heading("tokens/s of greedy decoding with a cache, two threads where not said")
    failed = False
    for case, (texts, new, _) in CASES.items():
        writers = {side: writer(side, case) for side in SIDES}
        assert torch.equal(*(work() for work in writers.values())), f"{case}: the sides write different texts"
        failed |= not line(__file__, case, writers, 2 if options.quick else 9, texts * new, WANTED)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
