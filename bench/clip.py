"""CLIP's training step against transformers' `CLIPModel` of the same shape, on the same pictures and captions.

    python bench/clip.py            about a minute on two cores
    python bench/clip.py --quick    half of that

Both see pictures of 32 pixels in patches of 4 with a ViT, and captions of up to 16 words with a small Transformer; the
widths, blocks, heads and hidden layers are the defaults of `squint.models.clip.Config`, the words those of the shipped
CLIP. The same on both sides: ReLU, no dropout, the contrastive loss, a learned scale, fused AdamW, float32, nothing
compiled. Not the same: theirs adds a token to the patches and reads the picture off it, ours takes the mean; theirs
reads a caption off its last word, and each word sees only those before it, ours sees all and takes the mean; ours
starts words from GloVe's vectors; theirs has one norm more. Both losses must begin near the logarithm of the batch.

Sides take turns in one process and medians are compared. Peak memory is that of a process that trains one side only,
over what it takes before its first step.

Two more figures have nobody beside them: how long the shipped CLIP takes from a phrase to the nearest ten of 10,000
pictures whose vectors are known, and how much of a training step of lab 07's small CLIP goes into its batch of
pictures, which lie in memory as whole numbers and are varied anew every time. Exits with 1 if a figure is not what is
asked for.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Callable

import torch
from _sides import in_turn, peak_memory, peak_of, ratio, verdict
from torch import Tensor, nn

from squint.data import album, augment
from squint.models import clip

CONFIG = clip.Config(tower="vit", dropout=0.0, forget=0.0)
BATCH, WANTED = 64, 1.1
PICTURES, NEAREST, MILLISECONDS = 10_000, 10, 10
LIVE = clip.Config(size=16, channels=(24, 48, 96), text_blocks=1, text_hidden=256, tokens=8, dropout=0.0, forget=0.1)
LIVE_BATCH, SHARE = 256, 0.1
OURS, THEIRS = SIDES = ("squint", "transformers")


def batch(words: int) -> tuple[Tensor, Tensor]:
    """Random pictures, and captions of 3 to all tokens, the last of which is the last word there is."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(BATCH, 3, CONFIG.size, CONFIG.size, generator=generator)
    captions = torch.randint(2, words - 1, (BATCH, CONFIG.tokens), generator=generator)
    last = torch.randint(2, CONFIG.tokens, (BATCH, 1), generator=generator)
    captions.scatter_(1, last, words - 1)
    return pictures, captions.masked_fill(torch.arange(CONFIG.tokens) > last, clip.PADDING)


def their_clip(words: int) -> nn.Module:
    """transformers' CLIP of our shape."""
    from transformers import CLIPConfig, CLIPModel

    def tower(name: str, **options: int) -> dict[str, object]:
        shape = {theirs: getattr(CONFIG, f"{name}_{ours}") for theirs, ours in (
            ("hidden_size", "dim"), ("num_attention_heads", "heads"), ("intermediate_size", "hidden"),
            ("num_hidden_layers", "blocks"),
        )}  # fmt: skip
        return {**shape, "hidden_act": "relu", "attention_dropout": 0.0, **options}

    text = tower("text", vocab_size=words, max_position_embeddings=CONFIG.tokens, pad_token_id=clip.PADDING,
                 bos_token_id=clip.UNKNOWN, eos_token_id=words - 1)  # fmt: skip
    image = tower("image", image_size=CONFIG.size, patch_size=CONFIG.patch)
    return CLIPModel(CLIPConfig(text_config=text, vision_config=image, projection_dim=CONFIG.embedding))


def median_seconds(work: Callable[[], object], rounds: int) -> float:
    """Of a round, after one that only warms up."""
    return statistics.median(in_turn({"it": work}, rounds)["it"])


@torch.no_grad()
def search_seconds(rounds: int) -> float:
    """From a phrase to the numbers of the pictures nearest to it; how near they are makes no difference to that."""
    model, _ = clip.pretrained()
    known = nn.functional.normalize(torch.randn(PICTURES, model.config.embedding), dim=-1)
    return median_seconds(lambda: (model.embed_captions(["a red fish with a hat"]) @ known.mT).topk(NEAREST), rounds)


def loader_and_step_seconds(rounds: int) -> tuple[float, float]:
    """To draw and vary a batch of lab 07's live run, and for the rest of the step: loss, gradient, update."""
    pictures = album.load()
    small, places = pictures.at(2 * LIVE.size), pictures.purpose["train"]
    model = clip.CLIP(LIVE, clip.Vocabulary(album.words(pictures))).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    captions = torch.randint(2, 1_000, (LIVE_BATCH, LIVE.tokens))

    def load() -> Tensor:
        chosen = places[torch.randint(len(places), (LIVE_BATCH,))]
        return augment.for_clip(small.rgba(chosen), small.may_flip[chosen], size=LIVE.size)

    seen = load()

    def step() -> None:
        clip.contrastive_loss(*model(seen, captions)).backward()
        optimiser.step()
        optimiser.zero_grad()

    return median_seconds(load, rounds), median_seconds(step, rounds)


def step_of(side: str) -> tuple[nn.Module, Callable[[], float]]:
    """A model, and a function that takes one training step and returns the loss before it."""
    vocabulary = clip.pretrained()[0].vocabulary
    own = 2 + len(vocabulary.own)
    torch.manual_seed(0)
    model = (clip.CLIP(CONFIG, vocabulary) if side == OURS else their_clip(own)).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    pictures, captions = batch(own)
    known = (captions != clip.PADDING).long()

    def loss() -> Tensor:
        if side == OURS:
            return clip.contrastive_loss(*model(pictures, captions))
        return model(captions, 2 * pictures - 1, known, return_loss=True).loss

    def step() -> float:
        value = loss()
        value.backward()
        optimiser.step()
        optimiser.zero_grad()
        return value.item()

    return model, step


def main() -> int:
    """Print medians, the ratio and memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="four rounds instead of twenty")
    parser.add_argument("--memory-of", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        _, step = step_of(options.memory_of)
        print(peak_of(lambda: (step(), step())))
        return 0
    models, steps = {}, {}
    for side in SIDES:
        models[side], steps[side] = step_of(side)
    first = [step() for step in steps.values()]
    assert all(abs(loss - math.log(BATCH)) < 1 for loss in first), first
    times = in_turn(steps, 4 if options.quick else 20)
    found, memory = ratio(times, OURS, THEIRS), {side: peak_memory(__file__, side) for side in SIDES}
    print(f"CLIP's training step, {BATCH} pictures and captions, ", end="")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{'':>14} {'parameters':>11} {'ms':>8} {'pictures/s':>11} {'peak memory, MB':>17}")
    for side in SIDES:
        seconds, parameters = statistics.median(times[side]), sum(each.numel() for each in models[side].parameters())
        print(f"{side:>14} {parameters:>11,} {1e3 * seconds:>8.0f} {BATCH / seconds:>11.0f} {memory[side]:>17.0f}")
    print(f"squint is {verdict(found, WANTED)}, in {memory[OURS] / max(memory[THEIRS], 1):.2f}× the memory.")
    rounds = 10 if options.quick else 40
    search = 1e3 * search_seconds(5 * rounds)
    print(f"From a phrase to the nearest {NEAREST} of {PICTURES:,} pictures: {search:.1f} ms, asked for at most "
          f"{MILLISECONDS} {'✓' if search <= MILLISECONDS else '✗'}")  # fmt: skip
    loader, step = loader_and_step_seconds(rounds)
    share = loader / (loader + step)
    print(f"A batch of {LIVE_BATCH} pictures for lab 07's live run: {1e3 * loader:.1f} ms, {share:.1%} of a step, "
          f"asked for at most {SHARE:.0%} {'✓' if share <= SHARE else '✗'}")  # fmt: skip
    return int(found < WANTED or search > MILLISECONDS or share > SHARE)


if __name__ == "__main__":
    sys.exit(main())
