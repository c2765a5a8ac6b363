"""Sampling from unCLIP's prior against diffusers' `PriorTransformer` of the same shape: 16 steps, 64 captions and one.

    python bench/prior.py            about a minute on two cores
    python bench/prior.py --quick    a third of that

Ours is the shipped prior's Transformer, with random weights, and `Prior.sample`. Its two rivals, in float32 and not
compiled, draw with a loop around `DDIMScheduler`, as diffusers' pipelines do:

- *PriorTransformer*, with our width, heads, blocks and hidden layers, as it comes. Not the same: it takes GELU where
  ours takes ReLU, each token sees only those before it, and its vector of the time is wider (3.43 million weights to
  our 3.38).
- *same function*: that module with our weights, our vector of the time, ReLU, and no token hidden but padding. From
  one noise it must draw the vectors that ours draws.

Both sides are told the same: 16 words' states, some of which are padding, and a caption's embedding. Sides take turns
in one process and medians are compared. Peak memory is that of a process that has one side only, over what it takes
before its first step. Exits with 1 if a ratio to *PriorTransformer* is below what is asked for.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Callable

import torch
from _sides import in_turn, peak_memory, peak_of, ratio, verdict
from torch import Tensor, nn

from squint.models.unclip import Caption, Prior, PriorConfig, lengthened

CONFIG = PriorConfig()
STEPS, TRAINED, WANTED = 16, 1_024, 1.1
BATCHES = (64, 1)
OURS, MODEL, SAME = SIDES = ("squint", "PriorTransformer", "same function")
NAMES = {
    "attention.to_query": "attn1.to_q", "attention.to_key": "attn1.to_k", "attention.to_value": "attn1.to_v",
    "attention.to_output": "attn1.to_out.0", "feed_forward.widen": "ff.net.0.proj", "feed_forward.narrow": "ff.net.2",
    "attention_residual.norm": "norm1", "feed_forward_residual.norm": "norm3", "encoder.blocks": "transformer_blocks",
    "encoder.norm": "norm_out", "words": "encoder_hidden_states_proj", "text": "embedding_proj", "noisy": "proj_in",
    "write": "proj_to_clip_embeddings", ".gain": ".weight",
}  # fmt: skip


def captions(batch: int) -> Caption:
    """What a prior is told: of the first caption all words are words, of the others some are padding."""
    chance = torch.Generator().manual_seed(0)
    states = torch.randn(batch, CONFIG.tokens, CONFIG.words, generator=chance)
    lengths = torch.randint(1, CONFIG.tokens + 1, (batch,), generator=chance)
    lengths[0] = CONFIG.tokens
    embedding = lengthened(torch.randn(batch, CONFIG.embedding, generator=chance))
    return Caption(states, torch.arange(CONFIG.tokens) < lengths[:, None], embedding)


# Theirs


def their_prior() -> nn.Module:
    """diffusers' module of our shape."""
    from diffusers import PriorTransformer

    return PriorTransformer(
        num_attention_heads=CONFIG.heads, attention_head_dim=CONFIG.dim // CONFIG.heads, num_layers=CONFIG.blocks,
        embedding_dim=CONFIG.embedding, num_embeddings=CONFIG.tokens, additional_embeddings=4, dropout=CONFIG.dropout,
    )  # fmt: skip


class Widen(nn.Module):
    """The first half of a feed-forward with ReLU, under the name that diffusers gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(CONFIG.dim, CONFIG.hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Wider, and nothing below zero."""
        return self.proj(x).relu()


def of_our_weights(ours: Prior) -> nn.Module:
    """diffusers' module, changed so that it computes what ours computes."""
    theirs = their_prior()
    for block in theirs.transformer_blocks:
        block.ff.net[0] = Widen()
    theirs.time_proj, theirs.time_embedding = nn.Identity(), ours.time
    theirs.causal_attention_mask.zero_()
    weights = ours.encoder.state_dict(prefix="encoder.")
    for name in ("words", "text", "noisy", "write"):
        weights |= getattr(ours, name).state_dict(prefix=f"{name}.")
    for our, its in NAMES.items():
        weights = {name.replace(our, its): value for name, value in weights.items()}
    weights |= {f"time_embedding.{name}": value for name, value in ours.time.state_dict().items()}
    weights |= {"positional_embedding": ours.positions.table[None], "prd_embedding": ours.query[None, None]}
    missing = theirs.load_state_dict(weights, strict=False)
    assert not missing.unexpected_keys and set(missing.missing_keys) <= {"clip_mean", "clip_std"}, missing
    return theirs


def their_sampler(net: nn.Module, caption: Caption, noise: Tensor) -> Tensor:
    """Vectors drawn by diffusers' loop, on our schedule."""
    from diffusers import DDIMScheduler

    kept = (torch.arange(TRAINED + 1).double() / TRAINED * math.pi / 2).cos() ** 2
    scheduler = DDIMScheduler(
        TRAINED, trained_betas=(1 - kept[1:] / kept[:-1]).tolist(), prediction_type="sample", clip_sample=False,
        timestep_spacing="trailing",
    )  # fmt: skip
    scheduler.set_timesteps(STEPS)
    x = noise
    with torch.no_grad():
        for time in scheduler.timesteps:
            at = (time + 1).float() / TRAINED
            found = net(x, at, caption.embedding, caption.states, caption.mask).predicted_image_embedding
            x = scheduler.step(found, time, x).prev_sample
    return lengthened(x)


# Both


def networks() -> dict[str, nn.Module]:
    """All sides' networks; two of them have the same weights."""
    torch.manual_seed(0)
    ours = Prior(CONFIG).eval()
    return {OURS: ours, MODEL: their_prior().eval(), SAME: of_our_weights(ours).eval()}


def drawing(side: str, net: nn.Module, batch: int) -> Callable[[], Tensor]:
    """A function that draws vectors."""
    caption = captions(batch)
    noise = torch.randn(batch, CONFIG.embedding, generator=torch.Generator().manual_seed(2))
    if side != OURS:
        return lambda: their_sampler(net, caption, noise)

    def draw() -> Tensor:
        with torch.no_grad():
            return net.sample(caption, STEPS, generator=torch.Generator().manual_seed(2))

    return draw


def agree() -> None:
    """The same weights draw the same vectors from the same noise, in both networks and loops."""
    nets = networks()
    drawn = [drawing(side, nets[side], 8)() for side in (OURS, SAME)]
    torch.testing.assert_close(*drawn, atol=2e-3, rtol=1e-3)
    print(f"one function in both: vectors differ by {(drawn[0] - drawn[1]).abs().max():.0e} at most")


def table(batch: int, rounds: int) -> float:
    """Print medians, ratios and memory; the ratio to `PriorTransformer`."""
    nets = networks()
    times = in_turn({side: drawing(side, net, batch) for side, net in nets.items()}, rounds)
    print(f"\n{batch} caption{'s' * (batch > 1)}, {STEPS} steps")
    print(f"{'':>18} {'parameters':>11} {'ms':>7} {'peak MB':>8}  squint is")
    for side, net in nets.items():
        seconds, parameters = statistics.median(times[side]), sum(each.numel() for each in net.parameters())
        print(f"{side:>18} {parameters:>11,} {1e3 * seconds:>7.1f} {peak_memory(__file__, f'{batch} {side}'):>8.0f}  "
              f"{ratio(times, OURS, side):.2f}× as fast")  # fmt: skip
    return ratio(times, OURS, MODEL)


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        batch, side = options.memory_of.split(" ", 1)
        print(peak_of(drawing(side, networks()[side], int(batch))))
        return 0
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    agree()
    rounds = {64: 3 if options.quick else 12, 1: 10 if options.quick else 60}
    found = {batch: table(batch, rounds[batch]) for batch in BATCHES}
    for batch, value in found.items():
        print(f"batch of {batch}: squint is {verdict(value, WANTED)}")
    return int(min(found.values()) < WANTED)


if __name__ == "__main__":
    sys.exit(main())
