"""The U-Net and its sampler against diffusers': a training step at 16 pixels, and 25 steps of DDIM.

    python bench/unet.py            about a minute on two cores
    python bench/unet.py --quick    half of that

Ours is the shipped decoder's U-Net, with a time in the embedding's place. Its two rivals, in float32 and not compiled:

- *UNet2DModel*, what a user of diffusers would take, with our channels, groups and dropout, attention on the same two
  levels, and residual blocks that a time scales and shifts. Not the same: on a level it has one block down and two up,
  ours two and two; it attends after every block, ours after the last (heads of 32 make three and five of them, ours are
  four); it has a short cut from every block, and convolutions where ours averages and repeats pixels. So it multiplies
  more, as the table says.
- *its blocks*: our U-Net with diffusers' `ResnetBlock2D` and `Attention` in the place of our blocks, and our weights.
  The same function and the same work.

Channels lie last in memory on all sides, which is faster for each. Every side draws with its own network and loop,
ours or `DDIMScheduler`'s, on one schedule; with one network both loops must draw the same pictures. The loops alone,
around a network that costs nothing, are told apart in microseconds. Sides take turns in one process and medians are
compared. Peak memory is that of a process that has one side only, over what it takes before its first step. Exits with
1 if a ratio to *UNet2DModel* is below what is asked for.
"""

import argparse
import copy
import math
import statistics
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from _sides import in_turn, peak_memory, peak_of, ratio, verdict
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from squint.models.diffusion import Denoiser, TimeEmbedding, sample_ddim
from squint.models.unclip import DecoderConfig
from squint.nn.unet import GROUPS, ConditionedBlock, PictureAttention, UNet

CONFIG = DecoderConfig()
TRAINED, STEPS, PART = 1_000, 25, 32
BATCH, DRAWN, WANTED = 32, 16, 1.1
OURS, MODEL, BLOCKS = SIDES = ("squint", "UNet2DModel", "its blocks")


class Timed(nn.Module):
    """A U-Net whose condition is the time alone."""

    def __init__(self) -> None:
        super().__init__()
        self.time = TimeEmbedding(CONFIG.condition)
        self.unet = UNet(3, 3, CONFIG.channels, CONFIG.condition,
                         blocks=CONFIG.blocks, heads=CONFIG.heads, dropout=CONFIG.dropout)  # fmt: skip

    def forward(self, noisy: Tensor, time: Tensor) -> Tensor:
        """The velocity."""
        return self.unet(noisy, F.silu(self.time(time)))


def noised(net: nn.Module) -> nn.Module:
    """The same network, none of whose layers is silent, as they are at first."""
    for parameter in net.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    return net


# Theirs


def unet2d() -> nn.Module:
    """diffusers' own network, of our channels."""
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=CONFIG.size, in_channels=3, out_channels=3, block_out_channels=CONFIG.channels, layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"), norm_num_groups=GROUPS,
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"), attention_head_dim=PART,
        resnet_time_scale_shift="scale_shift", dropout=CONFIG.dropout,
    ).to(memory_format=torch.channels_last)  # fmt: skip


def renamed(ours: nn.Module, theirs: nn.Module, names: dict[str, str]) -> nn.Module:
    """Theirs with the weights of ours."""
    weights = {".".join([names[name.rsplit(".", 1)[0]], name.rsplit(".", 1)[1]]): value
               for name, value in ours.state_dict().items()}  # fmt: skip
    theirs.load_state_dict(weights)
    return theirs


def their_block(ours: ConditionedBlock) -> nn.Module:
    """A residual block of diffusers that computes what ours computes."""
    from diffusers.models.resnet import ResnetBlock2D

    theirs = ResnetBlock2D(
        in_channels=ours.first.in_channels, out_channels=ours.first.out_channels, groups=GROUPS, eps=1e-5,
        temb_channels=ours.scale_and_shift.in_features, time_embedding_norm="scale_shift", skip_time_act=True,
        dropout=ours.dropout.share,
    )  # fmt: skip
    return renamed(ours, theirs, {"first_norm": "norm1", "second_norm": "norm2", "first": "conv1", "second": "conv2",
                                  "scale_and_shift": "time_emb_proj", "around": "conv_shortcut"})  # fmt: skip


def their_attention(ours: PictureAttention) -> nn.Module:
    """An attention of diffusers that computes what ours computes."""
    from diffusers.models.attention_processor import Attention

    channels, heads = ours.norm.num_channels, ours.attention.heads
    theirs = Attention(channels, heads=heads, dim_head=channels // heads, norm_num_groups=GROUPS, bias=True,
                       eps=1e-5, residual_connection=True)  # fmt: skip
    names = {"query": "to_q", "key": "to_k", "value": "to_v", "output": "to_out.0"}
    return renamed(ours, theirs, {"norm": "group_norm"} | {f"attention.to_{our}": its for our, its in names.items()})


def of_their_blocks(ours: nn.Module) -> nn.Module:
    """The same network, from diffusers' residual blocks and attentions."""
    theirs = copy.deepcopy(ours)
    for name, module in ours.named_modules():
        make = {ConditionedBlock: their_block, PictureAttention: their_attention}.get(type(module))
        if make is not None:
            theirs.set_submodule(name, make(module))
    return theirs.to(memory_format=torch.channels_last)


def their_sampler(denoiser: Denoiser, noise: Tensor, steps: int, kind: str = "DDIM", **options: Any) -> Tensor:
    """`sample_ddim`, or another, by a scheduler of diffusers: it counts our times from 0 to `TRAINED` − 1."""
    import diffusers

    kept = (torch.arange(TRAINED + 1).double() / TRAINED * math.pi / 2).cos() ** 2
    scheduler = getattr(diffusers, f"{kind}Scheduler")(
        TRAINED, trained_betas=(1 - kept[1:] / kept[:-1]).tolist(), prediction_type="v_prediction", clip_sample=True,
        timestep_spacing="trailing",
    )  # fmt: skip
    scheduler.set_timesteps(steps)
    options = options or {"use_clipped_model_output": True}
    x = noise
    with torch.no_grad():
        for time in scheduler.timesteps:
            found = denoiser(x, ((time + 1) / TRAINED).expand(len(x)))
            x = scheduler.step(found, time, x, **options).prev_sample
    return x


# Both


def networks() -> dict[str, nn.Module]:
    """All sides' networks; two of them have the same weights."""
    torch.manual_seed(0)
    ours = noised(Timed())
    return {OURS: ours, MODEL: noised(unet2d()), BLOCKS: of_their_blocks(ours)}


def denoiser_of(side: str, net: nn.Module) -> Denoiser:
    """From noisy pictures and times from 0 to 1 to velocities; diffusers' network counts times up to `TRAINED`."""
    return net if side != MODEL else lambda noisy, time: net(noisy, time * TRAINED).sample


def training(side: str, net: nn.Module) -> Callable[[], float]:
    """A function that takes one training step and returns the loss before it."""
    torch.manual_seed(1)
    noisy, velocity, time = *torch.randn(2, BATCH, 3, CONFIG.size, CONFIG.size), torch.rand(BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-4, fused=True)
    denoiser = denoiser_of(side, net)

    def step() -> float:
        loss = F.mse_loss(denoiser(noisy, time), velocity)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        return loss.item()

    return step


def drawing(side: str, net: nn.Module) -> Callable[[], Tensor]:
    """A function that draws pictures."""
    noise = torch.randn(DRAWN, 3, CONFIG.size, CONFIG.size, generator=torch.Generator().manual_seed(2))
    sampler, denoiser = sample_ddim if side == OURS else their_sampler, denoiser_of(side, net.eval())
    return lambda: sampler(denoiser, noise, STEPS)


TASKS = {"training": training, "drawing": drawing}


def multiplications(denoiser: Denoiser) -> float:
    """Of one picture, in millions."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        denoiser(torch.zeros(1, 3, CONFIG.size, CONFIG.size), torch.zeros(1))
    return counter.get_total_flops() / 2e6


def table(task: str, pictures: int, rounds: int) -> float:
    """Print medians, ratios and memory of one task; the ratio to `UNet2DModel`."""
    nets = networks()
    times = in_turn({side: TASKS[task](side, net) for side, net in nets.items()}, rounds)
    print(f"{'':>12} {'parameters':>11} {'M mult./picture':>16} {'ms':>6} {'pictures/s':>11} {'peak MB':>8}  squint is")
    for side, net in nets.items():
        seconds, parameters = statistics.median(times[side]), sum(each.numel() for each in net.parameters())
        print(f"{side:>12} {parameters:>11,} {multiplications(denoiser_of(side, net)):>16.0f} {1e3 * seconds:>6.0f} "
              f"{pictures / seconds:>11.1f} {peak_memory(__file__, f'{task} {side}'):>8.0f}  "
              f"{ratio(times, OURS, side):.2f}× as fast")  # fmt: skip
    return ratio(times, OURS, MODEL)


def agree() -> None:
    """The same weights have the same loss, and the same network draws the same pictures in both loops."""
    nets = networks()
    noisy, time = torch.randn(4, 3, CONFIG.size, CONFIG.size), torch.rand(4)
    with torch.no_grad():
        found = [nets[side].eval()(noisy, time) for side in (OURS, BLOCKS)]
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-4)
    drawn = [drawing(side, nets[OURS])() for side in (OURS, BLOCKS)]
    torch.testing.assert_close(*drawn, atol=1e-4, rtol=1e-4)
    print(f"one network in both loops: pictures differ by {(drawn[0] - drawn[1]).abs().max():.0e} at most")


def main() -> int:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        task, side = options.memory_of.split(" ", 1)
        print(peak_of(TASKS[task](side, networks()[side])))
        return 0
    quick = options.quick
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    agree()
    print(f"\na training step on {BATCH} pictures")
    found = {"training": table("training", BATCH, 3 if quick else 10)}
    print(f"\n{DRAWN} pictures in {STEPS} steps of DDIM")
    found["drawing"] = table("drawing", DRAWN, 1 if quick else 4)
    noise = torch.randn(DRAWN, 3, CONFIG.size, CONFIG.size)
    loops = {side: partial(loop, lambda x, time: x, noise, STEPS)
             for side, loop in (("squint", sample_ddim), ("diffusers", their_sampler))}  # fmt: skip
    alone = {side: 1e6 * statistics.median(times) / STEPS for side, times in in_turn(loops, 20).items()}
    print("\nthe loops alone, a step: " + ", ".join(f"{side} {value:.0f} µs" for side, value in alone.items()))
    for task, value in found.items():
        print(f"{task}: squint is {verdict(value, WANTED)}")
    return int(min(found.values()) < WANTED)


if __name__ == "__main__":
    sys.exit(main())
