"""Beam search, width 4, over 64 sentences against transformers' `generate(num_beams=4)` on MarianMT of the same shape.

    python bench/beam.py            about two minutes on two cores
    python bench/beam.py --quick    less than one

Weights are random, so nobody ever says the end token: both sides take every step, which is the most work there is.
They take turns in one process and medians are compared. Peak memory is that of a process that decodes with one side.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from _sides import peak_memory, peak_of

from squint.models.seq2seq import Config, Seq2Seq
from squint.text.decode import beam_search

CONFIG = Config(8_000, dim=192, heads=4, hidden=768, blocks=6, dropout=0.0)
WIDTH, SENTENCES, SOURCE = 4, 64, 14
NEVER = -1


def sources() -> torch.Tensor:
    """Sentences of 8 to 14 random tokens, filled up with padding."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(3, CONFIG.vocabulary, (SENTENCES, SOURCE), generator=generator)
    lengths = torch.randint(8, SOURCE + 1, (SENTENCES, 1), generator=generator)
    return tokens.masked_fill(torch.arange(SOURCE) >= lengths, 0)


def ours() -> Callable[[torch.Tensor, int], int]:
    """Squint: tokens of the best answers."""
    model = Seq2Seq(CONFIG).eval()

    @torch.inference_mode()
    def decode(source: torch.Tensor, steps: int) -> int:
        limit = torch.full((len(source),), steps)
        found = beam_search(model, model.begin(source), limit=limit, width=WIDTH, alpha=1.0, end=NEVER)
        return sum(len(several[0].tokens) for several in found)

    return decode


def theirs() -> Callable[[torch.Tensor, int], int]:
    """MarianMT with the same blocks, widths and vocabulary."""
    from transformers import MarianConfig, MarianMTModel

    model = MarianMTModel(
        MarianConfig(
            vocab_size=CONFIG.vocabulary,
            d_model=CONFIG.dim,
            encoder_layers=CONFIG.blocks,
            decoder_layers=CONFIG.blocks,
            encoder_attention_heads=CONFIG.heads,
            decoder_attention_heads=CONFIG.heads,
            encoder_ffn_dim=CONFIG.hidden,
            decoder_ffn_dim=CONFIG.hidden,
            max_position_embeddings=CONFIG.tokens,
            pad_token_id=0,
            decoder_start_token_id=1,
            eos_token_id=2,
            forced_eos_token_id=None,
            activation_function="relu",
            scale_embedding=True,
        )  # fmt: skip
    ).eval()
    model.generation_config.eos_token_id = None
    model.generation_config.forced_eos_token_id = None

    @torch.inference_mode()
    def decode(source: torch.Tensor, steps: int) -> int:
        found = model.generate(
            input_ids=source, attention_mask=(source != 0).long(), num_beams=WIDTH, do_sample=False,
            max_new_tokens=steps, length_penalty=1.0, use_cache=True,
        )  # fmt: skip
        return (found.shape[1] - 1) * len(found)

    return decode


SIDES = {"squint": ours, "transformers": theirs}


def report_memory(side: str, steps: int) -> None:
    """In a process of its own: print the peak in megabytes."""
    decode = SIDES[side]()
    # Once in small, so that what is only loaded at the first call does not count.
    decode(sources()[:1], 2)
    print(peak_of(lambda: decode(sources(), steps)))


def main() -> None:
    """Print medians, the ratio and memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two rounds instead of seven")
    parser.add_argument("--steps", type=int, default=24, help="tokens an answer")
    parser.add_argument("--memory-of", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        return report_memory(options.memory_of, options.steps)
    torch.manual_seed(0)
    source, sides = sources(), {side: make() for side, make in SIDES.items()}
    times: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range((2 if options.quick else 7) + 1):
        for side, decode in sides.items():
            start = time.perf_counter()
            tokens = decode(source, options.steps)
            times[side].append(time.perf_counter() - start)
            assert tokens == SENTENCES * options.steps, (side, tokens)
    medians = {side: statistics.median(several[1:]) for side, several in times.items()}
    memory = {side: peak_memory(__file__, side, "--steps", str(options.steps)) for side in SIDES}
    print(f"beam search, width {WIDTH}, {SENTENCES} sentences, {options.steps} tokens each, ", end="")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{'':>14} {'seconds':>9} {'tokens/s':>10} {'peak memory, MB':>17}")
    for side, seconds in medians.items():
        print(f"{side:>14} {seconds:>9.2f} {SENTENCES * options.steps / seconds:>10.0f} {memory[side]:>17.0f}")
    ratio = statistics.median(b / a for a, b in zip(times["squint"][1:], times["transformers"][1:], strict=True))
    print(f"squint is {ratio:.2f}× as fast, in {memory['squint'] / max(memory['transformers'], 1):.2f}× the memory.")
    return None


if __name__ == "__main__":
    main()
