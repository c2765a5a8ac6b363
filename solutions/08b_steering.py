# ---
# squint:
#   lab: "08b"
#   title: Steering diffusion
#   minutes: 120
#   promise: Tell a diffusion model what to draw, and how firmly; measure with an interval whether a set of pictures is any good; climb from 16 to 64 pixels; and walk a real picture back into noise.
#   prerequisites: ["08_diffusion"]
#   objectives:
#     - train one network to draw with a condition and without
#     - guide a drawing, and say what guidance costs
#     - measure how far apart two sets of pictures are, without bias and with an interval
#     - spoil what an upsampler is fed, and tell it so
#     - walk a picture to noise and back, and judge what came out
#   claim: Guidance buys fidelity with spread; 25 steps of DDIM do for 250 of DDPM; and a cascade comes closer to real pictures than plain enlarging.
#   source: Ho and Salimans 2022, “Classifier-Free Diffusion Guidance”; Bińkowski et al. 2018, “Demystifying MMD GANs”; Ho et al. 2022, “Cascaded Diffusion Models for High Fidelity Image Generation”; Song, Meng and Ermon 2021, “Denoising Diffusion Implicit Models”
# ---

# %% [markdown] id="title"
# # Steering diffusion
#
# *Tell a diffusion model what to draw, and how firmly; measure with an interval whether a set of pictures is any good; climb from 16 to 64 pixels; and walk a real picture back into noise.*
#
# 120 minutes · after [lab 08, Diffusion](08_diffusion.ipynb) · two CPU cores are enough
#
# **When you are through, you can**
#
# - train one network to draw with a condition and without;
# - guide a drawing, and say what guidance costs;
# - measure how far apart two sets of pictures are, without bias and with an interval;
# - spoil what an upsampler is fed, and tell it so;
# - walk a picture to noise and back, and judge what came out.
#
# **The claim under test.** Guidance buys fidelity with spread (Ho and Salimans 2022); 25 steps of DDIM do for 250 of DDPM (Song et al. 2021); and a cascade of diffusion models comes closer to real pictures than plain enlarging (Ho et al. 2022 climbed so).

# %% id="setup" tags=["setup"]
lab = begin("08b_steering")

# %% id="imports"
import math
import time as clock
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import nn

from squint.data import album
from squint.models import unclip
from squint.models.diffusion import (
    add_noise,
    clean_and_noise,
    draw_noise,
    sample_ddim,
    sample_ddpm,
    spread_times,
    velocity,
)
from squint.viz import colours, style

# %% [markdown] id="recall"
# ## Before we start
#
# Three questions on earlier labs. Answer aloud, then unfold.
#
# **1.** In lab 08 your `ddim_step` computed the noise as $(x_t - \sqrt{\bar\alpha_t}\,x_0)/\sqrt{1-\bar\alpha_t}$. What happens if one asks it to start at a clean picture, $t = 0$?
#
# <details><summary>Answer</summary>
#
# It divides zero by zero: in a clean picture there is no noise by which to tell the noise. Your `clean_and_noise` gets along without a division, since the network's velocity says both. You will need that in section 6.
# </details>
#
# **2.** Lab 04's model wrote with a temperature. What did a low one buy, and what did it cost?
#
# <details><summary>Answer</summary>
#
# Likelier words, and so fewer slips; and less variety, until it said the same thing over and over. Section 3 has a knob for pictures that does much the same.
# </details>
#
# **3.** What does a large cosine between CLIP's vectors of two pictures say, and what does it not say?
#
# <details><summary>Answer</summary>
#
# That captions of the same kind would fit both. It says little about what captions leave out: how many there are, what stands left of what (lab 07b), or whether an edge is sharp. Today CLIP is the judge. Remember what it does not see.
# </details>

# %% [markdown] id="condition-idea"
# ## 1 · Told what to draw
#
# Lab 08's face net drew some face. One would rather say which. So the network gets one more input, the **condition**: a class, a caption, a vector that CLIP gave. It learns as before, from noised pictures, but now it is told of each what it shows. Nothing in the loss has changed.
#
# Drawings by such a network are often half-hearted: it does what it is told, more or less. Ho and Salimans (2022) found a knob for *how firmly*. It needs to know what the same network would do if it had been told **nothing**. So, in training, now and then the condition is taken away, and a vector that stands for “nothing” is put in its place. Then one network has learned two things, to draw with a condition and without.
#
# Write the taking away. It is not the dropout of lab 03, which blanks single numbers of a vector and makes the others larger: here a picture keeps its whole condition or loses all of it. `chance` has a random number from 0 to 1 for each picture. `share` is the share of pictures that are to lose theirs.

# %% id="drop_condition" tags=["exercise"] minutes=6 difficulty=2 teaches="dropping whole conditions in training, so that one network learns with and without"
def drop_condition(condition, nothing, chance, share):
    """The conditions, some of them replaced by nothing.

    condition: [batch, dim]; nothing: [dim], stands for no condition
    chance: [batch], random numbers from 0 (possible) to 1 (never reached); share: a number, 0 to 1
    returns [batch, dim]. Replaced are those whose chance is below the share
    """
    ### BEGIN SOLUTION
    dropped = chance < share
    return torch.where(dropped[:, None], nothing, condition)
    ### STUB
    # dropped = ...
    # return ...
    ### END SOLUTION

# %% id="check-drop_condition" tags=["check"]
drop_condition = check("drop_condition")

# %% [markdown] id="guide-idea"
# Now the knob. At each step the network is asked twice about the same noisy picture: what is the velocity with the condition, and what is it with nothing? Usually the two differ a little. The difference is what the condition is good for. So go further in that direction: past the answer with the condition, away from the one without.
#
# How far is a number, the **weight**. It is to be
#
# - 0 where the condition is left out;
# - 1 where the network simply does what it is told;
# - 2 where one goes past that by the whole difference once more; and so on, evenly.
#
# That is enough to write it down. (Papers count in two ways. Ho and Salimans' $w$ is 0 where our weight is 1: weight = $1 + w$. Before you copy a number from a paper, look which.)

# %% id="guide" tags=["exercise"] minutes=9 difficulty=3 teaches="classifier-free guidance: asked with and without the condition, and beyond"
def guide(network, noisy, time, condition, nothing, weight):
    """The velocity, guided.

    network: a function of noisy [batch, …], time [batch] and condition [batch, dim], to a velocity
    nothing: [dim], what stands for no condition; weight: a number from 0 up
    returns a velocity, [batch, …]
    """
    ### BEGIN SOLUTION
    told = network(noisy, time, condition)
    free = network(noisy, time, nothing.expand_as(condition))
    return free + weight * (told - free)
    ### STUB
    # told = ...
    # free = ...
    # return ...
    ### END SOLUTION

# %% id="check-guide" tags=["check"]
guide = check("guide")

# %% [markdown] id="toy-text"
# First where one can see everything: points in a plane, of three kinds, whose clouds overlap. Two networks learn to draw them, told the kind as a one-hot vector; zeros stand for nothing. The first loses the condition of 15 % of its points. The second never does: it is shown the zeros for the first time when it is guided.

# %% id="toy"
KINDS = 3
turn = torch.arange(KINDS, device=lab.device) * (2 * math.pi / KINDS)
centres = 0.7 * torch.stack([turn.cos(), turn.sin()], dim=1)
no_kind = torch.zeros(KINDS, device=lab.device)


class KindNet(nn.Module):
    """From noisy points, times and kinds to velocities."""

    def __init__(self, width=96):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(10 + KINDS, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2))

    def forward(self, noisy, time, kind):
        angle = time[:, None] * (torch.tensor([1, 2, 4, 8], device=noisy.device) * (math.pi / 2))
        return self.net(torch.cat([noisy, angle.sin(), angle.cos(), kind], dim=1))


def learn_kinds(share, steps, batch=256, rate=2e-3):
    """Train a KindNet that loses its condition in this share of cases."""
    torch.manual_seed(0)
    network = KindNet().to(lab.device)
    optimiser = torch.optim.Adam(network.parameters(), rate, fused=True)
    for step in track(range(steps), f"points, {100 * share:.0f} % without their kind"):
        optimiser.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * step / steps)) / 2
        kind = torch.randint(KINDS, (batch,), device=lab.device)
        points = centres[kind] + 0.55 * torch.randn(batch, 2, device=lab.device)
        noise, time = torch.randn_like(points), spread_times(batch, lab.device)
        chance = torch.rand(batch, device=lab.device)
        condition = drop_condition(F.one_hot(kind, KINDS).float(), no_kind, chance, share)
        optimiser.zero_grad()
        F.mse_loss(network(add_noise(points, noise, time), time, condition),
                   velocity(points, noise, time)).backward()
        optimiser.step()
    return network.eval()


toys = {share: learn_kinds(share, budget(cpu=1_500, gpu=1_500, smoke=3)) for share in (0.15, 0)}

# %% id="toy-guided"
WEIGHTS = (0, 1, 2, 4, 8)
kinds = torch.arange(900, device=lab.device) % KINDS
kinds_told = F.one_hot(kinds, KINDS).float()
toy_start = draw_noise((900, 2), lab.device, torch.Generator().manual_seed(7))


def guided_points(network, weight):
    """Points of each kind, from one and the same noise."""
    def denoiser(noisy, time):
        return guide(network, noisy, time, kinds_told, no_kind, weight)
    return sample_ddim(denoiser, toy_start, budget(cpu=40, gpu=40, smoke=2), limit=None)


def width_of(points):
    """The standard deviation within a kind, mean over kinds and axes."""
    return torch.stack([points[kinds == each].std(dim=0) for each in range(KINDS)]).mean().item()


toy_points = {(share, weight): guided_points(network, weight)
              for share, network in toys.items() for weight in WEIGHTS}
print("weight                 " + "".join(f"{weight:>9}" for weight in WEIGHTS) + "   (real: 0.55)")
for share in toys:
    widths = [f"⟨{width_of(toy_points[share, weight]):.2f}⟩" for weight in WEIGHTS]
    print(f"width, {100 * share:2.0f} % dropped   " + "".join(f"{each:>9}" for each in widths))
claim("points: width at weight 4, in parts of that at 1",
      width_of(toy_points[0.15, 4]) / width_of(toy_points[0.15, 1]), below=0.8,
      control={"nothing was never trained": width_of(toy_points[0, 4])
               / width_of(toy_points[0, 1])}, paper="Ho and Salimans 2022, §4")

# %% id="fig-toy" tags=["nbval-ignore-output"]
figure, panels = plt.subplots(2, len(WEIGHTS), figsize=(9.6, 4.1))
for line, share in zip(panels, toys):
    for panel, weight in zip(line, WEIGHTS):
        points = toy_points[share, weight].cpu()
        for each, colour in enumerate((colours.BLUE, colours.ORANGE, colours.GREEN)):
            own = points[kinds.cpu() == each]
            panel.scatter(*own.T, s=3, alpha=0.5, color=colour, linewidths=0)
        panel.scatter(*centres.T.cpu(), s=30, marker="+", color=colours.INK)
        panel.set(xlim=(-8, 8), ylim=(-8, 8), xticks=[], yticks=[], aspect="equal")
        panel.grid(False)
        if share:
            panel.set_title(f"weight {weight}", fontsize=9)
    line[0].set_ylabel(f"{100 * share:.0f} % dropped", fontsize=9)
show(figure, alt="Points of three kinds at five weights. Above: mixed at weight 0, overlapping "
     "clouds at 1; then the clouds part, shrink, and move away from the crosses that mark their "
     "centres. Below, where nothing was never trained, they move away faster and do not shrink.")

# %% [markdown] id="toy-read"
# Look at the upper row. At 0 the kind plays no part. At 1 the points lie as real ones do: the clouds overlap, and where they do, nobody could tell by a point what kind it is. From 2 on guidance makes points that are *plainly* of their kind. The clouds shrink, and they move off, past the crosses, to where no other kind would ever be, and soon no real point either. So guidance does not draw from the real distribution of a kind. It draws what is typical of the kind *as against the rest*.
#
# In the lower row the difference between “told” and “nothing” is no such thing. What the network says to zeros that it has never seen is anybody's guess, and guidance goes away from that guess.
#
# **Question.** We guide the velocity; Ho and Salimans guide the noise; others guide the clean thing. Are these three methods?
#
# <details><summary>Answer</summary>
#
# No, one. Both answers are about the same $x_t$ at the same time, and from a velocity the noise and the clean thing follow by sums and products with fixed factors (lab 08). So guiding the velocities and guiding the noises come to the same. (A difference comes in when the guess is clamped to −1 … 1, which is done after guiding.)
# </details>

# %% [markdown] id="decoder-text"
# ### The shipped decoder
#
# It is a U-Net as in lab 08, larger, that learned for some minutes on a GPU to draw emoji of 16 pixels by six artists. Its condition is CLIP's vector of the picture: no name, no style, only those 128 numbers. They are brought to the length $\sqrt{128}$, so that each is about as large as the noise. The vector for “nothing” was learned with the rest.
#
# What shall we ask for? Pictures that it was not trained on: a few of known concepts were set aside. We take the vectors of some, and see what it makes of them.

# %% id="models"
pictures = album.on(lab.device)
system, card = unclip.pretrained()
system.to(lab.device)
decoder, eye, (to_32, to_64) = system.decoder, system.clip, system.upsamplers
SIDE = decoder.config.size
ASKED = budget(cpu=96, gpu=96, smoke=4)
SHEET = budget(cpu=64, gpu=64, smoke=4)


def real(places, side=SIDE):
    """Real pictures from −1 to 1."""
    return 2 * pictures.plain(places, side) - 1


@torch.no_grad()
def look(shown):
    """CLIP's vectors, of length √128, of pictures from −1 to 1; it sees them at 32 pixels."""
    if shown.shape[-1] < 32:
        shown = unclip.enlarged(shown)
    shown = F.avg_pool2d(unclip.unit(shown), shown.shape[-1] // 32)
    return unclip.lengthened(torch.cat([eye.embed_pictures(part) for part in shown.split(64)]))


def shuffled(places, seed=0):
    """The same places in random order."""
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))
    return places[order.to(places.device)]


aside = shuffled(pictures.purpose["valid_pictures"])
asked_for = aside[:ASKED]
wanted = look(real(asked_for, 32))
start = draw_noise((ASKED, 3, SIDE, SIDE), lab.device, torch.Generator().manual_seed(0))
print(f"{sum(weight.numel() for weight in decoder.parameters()):,} weights; in training "
      f"{100 * decoder.config.drop:.0f} % of the conditions were dropped")
print(f"{len(aside)} pictures set aside; the first {ASKED} are asked for, as vectors",
      tuple(wanted.shape))

# %% [markdown] id="draw-text"
# The samplers are yours of lab 08, now in the library, where they take the time in place of $\bar\alpha$. They ask a function of noisy pictures and times; `ask_for` makes one, with your `guide` in it. At the weights 0 and 1 one of the two answers is all that counts, and asking once does.

# %% id="draw"
CHUNK = budget(cpu=16, gpu=96, smoke=4)  # pictures at a time


def ask_for(vectors, weight):
    """What the sampler asks: a function of noisy pictures and times, to velocities."""
    def denoiser(noisy, time):
        if weight in (0, 1):
            own = vectors if weight else decoder.nothing.expand_as(vectors)
            return decoder(noisy, time, own)
        return guide(decoder, noisy, time, vectors, decoder.nothing, weight)
    return denoiser


@torch.no_grad()
def draw_many(noise, vectors, weight, steps, chain=False):
    """Pictures from −1 to 1, by DDIM or by the chain itself (DDPM)."""
    chance, parts = lab.generator(1), []
    for some, own in track(list(zip(noise.split(CHUNK), vectors.split(CHUNK))), f"{steps} steps"):
        if chain:
            parts.append(sample_ddpm(ask_for(own, weight), some, steps, generator=chance))
        else:
            parts.append(sample_ddim(ask_for(own, weight), some, steps))
    return torch.cat(parts)


def seconds_since(begun):
    """Seconds, after all that was asked of the device is done."""
    torch.zeros(1, device=lab.device).cpu()
    return clock.perf_counter() - begun


FIRST_STEPS = budget(cpu=25, gpu=25, smoke=2)
begun = clock.perf_counter()
drawn = draw_many(start[:SHEET], wanted[:SHEET], 2, FIRST_STEPS)
seconds = {"decoder": seconds_since(begun)}
print(f"{SHEET} pictures in ⟨{seconds['decoder']:.1f}⟩ seconds")

# %% id="fig-drawn" tags=["nbval-ignore-output"]
def sheet(panel, some, title):
    """Pictures side by side, in rows of eight."""
    some = unclip.unit(some)[: 8 * (len(some) // 8) or None]
    across = 8 if len(some) >= 8 else len(some)
    panel.imshow(rearrange(some.cpu(), "(r s) c h w -> (r h) (s w) c", s=across))
    panel.set_title(title, fontsize=9)
    panel.set(xticks=[], yticks=[])
    panel.spines[:].set_visible(False)
    panel.grid(False)


figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 4.7))
sheet(left, drawn, "drawn at weight 2: the first 64 of seed 0, none left out")
sheet(right, real(asked_for[:SHEET]), "the pictures whose vectors were asked for")
show(figure, alt="Left 64 drawn emoji, right the 64 real ones whose vectors they were drawn from, "
     "at the same places. Colours are right nearly everywhere, and most drawings show the same "
     "thing; about a third are another thing or a smudge.")

# %% [markdown] id="distance-idea"
# ## 2 · Is a set of pictures any good?
#
# Look at both sheets. Some drawings are as good as the real thing, and some are a smudge. What is one to report? A chosen dozen would tell you what the chooser likes; so the sheet shows the first 64 of a seed. But an eye grows tired, and it does not tell 25 steps from 250. A number is wanted that says how far *a set* of drawings is from *a set* of real pictures.
#
# Take three averages of how alike two pictures are, by some measure $k$, a **kernel**:
#
# - two of one set, two of the other, and one of each.
#
# If both sets come from the same source, the third is on average as large as the first two. If not, it is smaller. So
#
# $$\text{distance} = \overline{k}(\text{one, one}) + \overline{k}(\text{other, other}) - 2\,\overline{k}(\text{one, other}), \qquad k(x, y) = \left(\frac{x\cdot y}{d} + 1\right)^{3},$$
#
# where $x$ and $y$ are vectors of $d$ numbers that some network makes of pictures. This is the squared *maximum mean discrepancy*; with this kernel Bińkowski et al. (2018) proposed it for judging pictures, as KID. Our network is CLIP.
#
# Mind one thing about the first two averages. They ask how alike *two* pictures of a set are. A table of all pairs has each picture beside itself, too, and nothing is as like it as that. Such pairs say nothing about the source. How large a part of the table they are depends on how many pictures there are. Leave them out, and divide by the number of what is left. Then the average over many draws is right, whatever the sizes: the estimate is **unbiased**.

# %% id="kernel_distance" tags=["exercise"] minutes=10 difficulty=3 teaches="an unbiased kernel distance between two sets (KID)"
def kernel_distance(one, other):
    """The squared maximum mean discrepancy of two sets, unbiased, with the kernel (x·y/d + 1)³.

    one: [n, d]; other: [m, d]; n and m may differ, both are at least 2
    returns a scalar; it can come out a little below 0
    """
    ### BEGIN SOLUTION
    def kernel(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x):
        table, n = kernel(x, x), len(x)
        return (table.sum() - table.diagonal().sum()) / (n * (n - 1))

    return within(one) + within(other) - 2 * kernel(one, other).mean()
    ### STUB
    # def kernel(x, y):
    #     return ...
    #
    # def within(x):
    #     return ...
    #
    # return ...
    ### END SOLUTION

# %% id="check-kernel_distance" tags=["check"]
kernel_distance = check("kernel_distance")

# %% [markdown] id="sizes-text"
# All distances of this lab are to one and the same set of real training pictures, at the size that is judged, and are given times 1,000, as is usual. First see what those pairs would have done. Other real training pictures come from the same source, so their distance should be about 0, however many we take.

# %% id="sizes"
REAL = budget(cpu=500, gpu=500, smoke=8)
CROWD = budget(cpu=1_500, gpu=5_000, smoke=12)
known = shuffled(pictures.purpose["train"])
yardstick = look(real(known[:REAL]))
crowd = torch.cat([look(real(part)) for part in
                   track(known[REAL:][:CROWD].split(64), "looking at real pictures")])


def with_the_diagonal(one, other):
    """The same distance, each picture also compared with itself."""
    def mean_of(x, y):
        return ((x @ y.T / x.shape[1] + 1) ** 3).mean()
    return mean_of(one, one) + mean_of(other, other) - 2 * mean_of(one, other)


def random_sets(number, times, source=crowd):
    """So many of these vectors, time and again."""
    luck = torch.Generator().manual_seed(0)
    return [source[torch.randperm(len(source), generator=luck)[:number].to(lab.device)]
            for _ in range(times)]


mean_distance = {}
print("pictures       without the diagonal       with it")
for number in (12, 24, 48, 96, 192):
    some_sets = random_sets(number, 40)
    for measure in (kernel_distance, with_the_diagonal):
        mean_distance[number, measure] = sum(1_000 * measure(some, yardstick).item()
                                             for some in some_sets) / 40
    print(f"{number:8}{f'⟨{mean_distance[number, kernel_distance]:.0f}⟩':>27}"
          f"{f'⟨{mean_distance[number, with_the_diagonal]:.0f}⟩':>14}")
claim("24 real pictures, mean distance without the diagonal",
      mean_distance[24, kernel_distance], between=(-40, 40),
      control={"with it": mean_distance[24, with_the_diagonal]}, paper="Bińkowski et al. 2018")

# %% [markdown] id="interval-text"
# With the diagonal, a dozen real pictures look much worse than two hundred of the same source. Whoever compares a method on few drawings with another on many compares sizes. (The better-known Fréchet distance, FID, has such a bias, and it cannot be taken out so simply.)
#
# Unbiased does not mean exact. Another dozen pictures would have given another number. **How far might it be off?** There is one set of drawings, and drawing it ten times over costs ten times as much. So take many random halves of it, and see how their distances scatter. (Why halves? A half strays from its set about as far as the set strays from the truth. Smaller parts stray more, larger ones less. And never draw with repetitions, as one does for a mean: a picture that comes twice would be compared with itself, and the diagonal is back.) Here is whether that is any good: sixty sets of pictures tell the true scatter, where the distance is about 0 and where it is large.

# %% id="interval"
def halves_of(number, times=60):
    """Random halves of so many things; always the same ones: [times, number / 2]."""
    chance = torch.Generator().manual_seed(0)
    order = [torch.randperm(number, generator=chance)[:max(2, number // 2)] for _ in range(times)]
    return torch.stack(order).to(lab.device)


def distances(some, others=yardstick):
    """Times 1,000: of the whole set, then of its halves."""
    sets = [some, *some[halves_of(len(some))]]
    return torch.stack([1_000 * kernel_distance(each, others) for each in sets])


def plus_minus(values):
    """The first value, and twice the scatter of the others."""
    return f"⟨{values[0]:.0f} ± {2 * values[1:].std():.0f}⟩"


blurry = torch.cat([look(F.avg_pool2d(real(part), 3, 1, 1))
                    for part in known[REAL:][:CROWD].split(64)])
for what, source in (("real pictures", crowd), ("blurred ones", blurry)):
    some_sets = random_sets(ASKED, 60, source)
    scatter = torch.stack([1_000 * kernel_distance(each, yardstick) for each in some_sets]).std()
    told_by_halves = torch.stack([distances(each)[1:].std() for each in some_sets[:4]]).mean()
    print(f"{ASKED} {what}: true scatter ⟨{scatter:.0f}⟩, told by halves ⟨{told_by_halves:.0f}⟩")

# %% id="controls"
other_hand = shuffled(pictures.purpose["test_style"])[:len(aside)]
judged = {
    "real, set aside": look(real(aside)),
    "real, by another hand": look(real(other_hand)),
    "real, red and blue exchanged": look(real(aside).flip(1)),
    "real, blurred": look(F.avg_pool2d(real(aside), 3, 1, 1)),
    "noise": look(draw_noise((len(aside), 3, SIDE, SIDE), lab.device,
                             torch.Generator().manual_seed(2))),
    "drawn at weight 2": look(drawn),
}
found = {name: distances(vectors) for name, vectors in judged.items()}
for name, values in found.items():
    print(f"{name:30}{len(judged[name]):4} pictures: {plus_minus(values)}")
claim("distance to real pictures: by another hand", found["real, by another hand"][0], above=35,
      control={"set aside": found["real, set aside"][0]})
claim("distance to real pictures: blurred", found["real, blurred"][0], above=35,
      control={"set aside": found["real, set aside"][0]})

# %% [markdown] id="controls-read"
# The halves tell the scatter well enough for an interval, too wide rather than too narrow. And the measure is no fool: pictures set aside are at 0, within the interval; those by a hand that neither CLIP nor the decoder ever saw are not; a blur over 3 × 3 pixels is far off, and noise farther. And the drawings? With 64 of them the interval is so wide that they could be real ones. A number without its interval would have made a story of it.
#
# Two more things to keep in mind. CLIP judges, and CLIP's vectors are what the decoder was told to draw from: the same network sets the task and marks it. (A second CLIP, not shipped, looked at other drawings by the same decoder. Section 3 prints what it said.) And a distance between *sets* does not know which picture was asked for. Draw fine pictures of the wrong things, and it is content.
#
# **Question.** Someone reports a distance of −4, and that the drawings are better than real pictures. What do you say?
#
# <details><summary>Answer</summary>
#
# That an unbiased estimate of nought is below nought about half of the time. All that −4 says is that the sets cannot be told apart by that many pictures.
# </details>
#
# ## 3 · How firmly
#
# Now the knob on the real thing. For each weight we draw the same pictures from the same noise, and measure three things:
#
# - **fidelity**: the cosine between CLIP's vector of the drawing and the one that was asked for, and how often CLIP gives the drawing the right name among 1,640;
# - **spread**: draw a thing twice, from other noise. How different do both drawings come out (1 − cosine)?
# - the distance of the set to real pictures.

# %% id="guess-weight" tags=["nbval-ignore-output"]
guess_weight = predict("At which weight do the drawings come nearest to the vector asked for?",
                       low=0, high=8, step=0.5)

# %% id="guidance"
TWICE = budget(cpu=32, gpu=64, smoke=2)
GUIDANCE = (0, 1, 2, 3, 5, 8)
again = draw_noise((TWICE, 3, SIDE, SIDE), lab.device, torch.Generator().manual_seed(1))
with torch.no_grad():
    names = eye.embed_captions(pictures.names)
print(f"{len(names):,} names")


def named_right(vectors):
    """Percent whose own name is the nearest of all."""
    said = (vectors @ names.T).argmax(dim=1)
    return 100 * (said == pictures.concept[asked_for[:len(vectors)]]).float().mean().item()


def alike(one, other):
    """The mean cosine of pairs."""
    return F.cosine_similarity(one, other).mean().item()


at_weight, seen, fidelity, spread = {2: drawn}, {}, {}, {}  # those at weight 2 are there already
for weight in GUIDANCE:
    if weight not in at_weight:
        at_weight[weight] = draw_many(start[:SHEET], wanted[:SHEET], weight, FIRST_STEPS)
    seen[weight] = look(at_weight[weight])
    fidelity[weight] = alike(seen[weight], wanted[:SHEET])
    twice = look(draw_many(again, wanted[:TWICE], weight, FIRST_STEPS))
    spread[weight] = 1 - alike(seen[weight][:TWICE], twice)

# %% id="guidance-table"
from_real = {weight: distances(vectors) for weight, vectors in seen.items()}
print("weight  cosine with what was asked  named right   spread      distance  less that at 3")
for weight in GUIDANCE:
    less = plus_minus(from_real[weight] - from_real[3]) if weight != 3 else ""
    print(f"{weight:6}{f'⟨{fidelity[weight]:.3f}⟩':>28}{f'⟨{named_right(seen[weight]):.0f} %⟩':>13}"
          f"{f'⟨{spread[weight]:.3f}⟩':>9}{plus_minus(from_real[weight]):>14}{less:>16}")
both_real = look(real(asked_for[:SHEET]))
print(f"  real{f'⟨{alike(both_real, wanted[:SHEET]):.3f}⟩':>28}"
      f"{f'⟨{named_right(both_real):.0f} %⟩':>13}{'':9}{plus_minus(distances(both_real)):>14}")
print("\nthe card, 600 drawings: distance by this CLIP, and by another one, that is not shipped")
for weight, measured in card["metrics"]["unclip"]["guidance"].items():
    print(f"{weight:>6}{measured['kernel_distance']['shipped']:8.1f}"
          f"{measured['kernel_distance']['other']:8.1f}")
claim("fidelity at weight 3, above that at 1", fidelity[3] - fidelity[1], above=0.015,
      control={"at weight 0": fidelity[0] - fidelity[1]}, paper="Ho and Salimans 2022, §4")
claim("spread at weight 3, in parts of that at 1", spread[3] / spread[1], below=0.75,
      control={"at weight 0": spread[0] / spread[1]}, paper="Ho and Salimans 2022, §4")
claim("fidelity at weight 8, above that at 3", fidelity[8] - fidelity[3], below=-0.005,
      control={"that at 3, above that at 1": fidelity[3] - fidelity[1]})

# %% id="fig-guidance" tags=["nbval-ignore-output"]
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.6, 3.3))
left.plot([spread[each] for each in GUIDANCE[1:]], [fidelity[each] for each in GUIDANCE[1:]], "o-")
for weight in GUIDANCE[1:]:
    left.annotate(f"{weight}", (spread[weight], fidelity[weight]), textcoords="offset points",
                  xytext=(-13 if weight in (5, 8) else 6, -4), fontsize=9)
left.margins(0.15)
left.set(xlabel="spread: 1 − cosine of two drawings", ylabel="fidelity: cosine with what was asked")
left.set_title("One curve, weights 1 to 8 (0: far off, right below)", fontsize=8)
middle.plot(GUIDANCE, [fidelity[each] for each in GUIDANCE], "o-")
middle.set(xlabel="weight", ylim=(0.8, 0.95))
middle.set_title("Fidelity (at weight 0: below the frame)", fontsize=8)
style.draw_guess(middle, guess_weight, axis="x")
for weight in GUIDANCE[1:]:
    values = from_real[weight].cpu()
    right.errorbar(weight, values[0], 2 * values[1:].std(), fmt="o", color=colours.BLUE, capsize=3)
right.axhline(0, color=colours.GREY, linewidth=1)
right.set(xlabel="weight", xlim=(0, 8.6))
right.set_title("Distance to real pictures, × 1,000", fontsize=8)
show(figure, alt="Left, fidelity against spread, from weight 1 at the lower right up to 3 at the "
     "upper left, then turning down towards 8. Middle, fidelity against weight: steep up to 2, "
     "highest at 3, lower again at 8. Right, the distance to real pictures with wide intervals: "
     "highest at 1 and 8, lowest between.")

# %% id="fig-weights" tags=["nbval-ignore-output"]
SHOWN = budget(cpu=14, gpu=14, smoke=2)


def strip(panel, some, label):
    """Pictures in one row."""
    panel.imshow(rearrange(unclip.unit(some).cpu(), "n c h w -> h (n w) c"))
    panel.set(xticks=[], yticks=[])
    panel.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
    panel.spines[:].set_visible(False)
    panel.grid(False)


figure, panels = plt.subplots(1 + len(GUIDANCE), 1, figsize=(9.0, 4.9))
strip(panels[0], real(asked_for[:SHOWN]), "asked for")
for panel, weight in zip(panels[1:], GUIDANCE):
    strip(panel, at_weight[weight][:SHOWN], f"weight {weight}")
show(figure, alt="Above, fourteen real emoji. Below, drawings from the same noise at six weights. "
     "At 0 they have nothing to do with the row above; at 1 they are pale and unsure; from 2 on "
     "they are firm, though four of them never become what was asked; at 8 colours are harsh.")

# %% [markdown] id="guidance-read"
# Up to about 3 both go together as the paper says: more fidelity, less spread. Then the trade is over. Past 5 the drawings get *less* like what was asked for, and no more varied either. Look at the last row: guidance pushes away from “nothing” so hard that colours are driven to their limits, and what is out of −1 … 1 is clamped off. In the plane you saw the same: past the crosses, to where no real point is.
#
# (Named right are no more of them, from 2 on.)
#
# Where is the best weight? The distance to real pictures is smallest from 2 to 5. But not even that it is larger at 1 and at 8 is beyond doubt, although the last column compares half by half, and so the same requests. The card's figures are from 600 drawings of known concepts: there it is smallest at 1.5 or 2, in the eyes of the shipped CLIP and of another one. That is before fidelity's peak. It is so in papers, too: the set is most like real pictures where single drawings are not yet most like what was asked (Ho and Salimans 2022, table 1).
#
# **Question.** At weight 3 two drawings of one thing differ less than half as much as at weight 1. Why can a set of such drawings still be as near to real pictures?
#
# <details><summary>Answer</summary>
#
# Because each of these pictures was asked for by a vector of its own. The variety of the set comes from the requests, not from the noise. Had we asked for one thing 64 times, the set would have shrunk with the spread.
# </details>
#
# ## 4 · Steps against quality
#
# In lab 08 a dozen steps did, for points in a plane. Song et al. (2021, table 1) report for photographs of 32 and 64 pixels that DDIM in 20 to 100 steps comes close to what the chain makes in a thousand. We draw 96 pictures, at weight 1, so that nothing but the sampler is judged: by the chain in 250 steps, and by DDIM in a few. All begin at the same noise.

# %% id="chain"
CHAIN_STEPS = budget(cpu=250, gpu=250, smoke=3)
begun = clock.perf_counter()
by_chain = draw_many(start, wanted, 1, CHAIN_STEPS, chain=True)
chain_seconds = seconds_since(begun)

# %% id="few-steps"
FEW = [budget(cpu=each, gpu=each, smoke=at) for at, each in enumerate((2, 5, 10, 25, 50), 1)]
by_ddim, took = {}, {}
for steps in FEW:
    begun = clock.perf_counter()
    by_ddim[steps] = draw_many(start, wanted, 1, steps)
    took[steps] = seconds_since(begun)

# %% id="steps-table"
chain_seen = look(by_chain)
chain_distance = distances(chain_seen)
chain_alike = F.cosine_similarity(chain_seen, wanted)
print("              distance     less DDPM's   cosine with what was asked      less DDPM's"
      "   seconds")
print(f"DDPM, {CHAIN_STEPS:4}{plus_minus(chain_distance):>12}"
      f"{f'⟨{chain_alike.mean():.3f}⟩':>45}{f'⟨{chain_seconds:.1f}⟩':>27}")
from_chain = {}
for steps in FEW:
    few_seen = look(by_ddim[steps])
    values = distances(few_seen)
    from_chain[steps] = values - chain_distance  # part by part: both have the same requests
    own = F.cosine_similarity(few_seen, wanted)
    less = own - chain_alike  # and picture by picture
    error = 2 * less.std() / ASKED ** 0.5
    print(f"DDIM, {steps:4}{plus_minus(values):>12}{plus_minus(from_chain[steps]):>16}"
          f"{f'⟨{own.mean():.3f}⟩':>29}{f'⟨{less.mean():.3f} ± {error:.3f}⟩':>17}"
          f"{f'⟨{took[steps]:.1f}⟩':>10}")
claim("distance: DDIM in 25 steps less DDPM in 250, nothing large", from_chain[FEW[3]][0],
      between=(-60, 60),
      control={"DDIM in 2 steps less DDPM": from_chain[FEW[0]][0]},
      paper="Song et al. 2021, table 1")


def apart(one, other):
    """Root mean square of the difference, on a scale of 1: of each picture, then the mean."""
    return ((one - other) / 2).square().mean(dim=(1, 2, 3)).sqrt().mean().item()


print("the card's distances, 600 drawings at weight 1: " + ", ".join(
    f"{how} steps {measured['shipped']}"
    for how, measured in card["metrics"]["unclip"]["steps"].items()))
print("from the same noise, difference of pixels to DDIM's own drawing in fifty steps:")
print(", ".join(f"{steps} steps ⟨{apart(by_ddim[steps], by_ddim[FEW[-1]]):.3f}⟩"
                for steps in FEW[:-1])
      + f"; to another picture's ⟨{apart(by_ddim[FEW[-1]], by_ddim[FEW[-1]].roll(1, 0)):.3f}⟩")

# %% id="fig-steps" tags=["nbval-ignore-output"]
figure, panels = plt.subplots(2 + len(FEW), 1, figsize=(9.0, 4.9))
strip(panels[0], real(asked_for[:SHOWN]), "asked for")
for panel, steps in zip(panels[1:], FEW):
    strip(panel, by_ddim[steps][:SHOWN], f"DDIM, {steps}")
strip(panels[-1], by_chain[:SHOWN], f"DDPM, {CHAIN_STEPS}")
show(figure, alt="Fourteen real emoji and drawings of them in 2, 5, 10, 25 and 50 steps of DDIM, "
     "all from the same noise, and in 250 of DDPM. In 2 steps they are blurred; from 10 on a "
     "column hardly changes any more. DDPM's drawings are others, no better to the eye.")

# %% [markdown] id="steps-read"
# Two steps are plainly worse than the chain. With five it is doubtful, and from ten on the distance cannot tell the two apart. Is 25 steps' distance “within 10 %” of the chain's, as one might like to report? A tenth of the chain's distance is a small part of the interval: with 96 drawings that can be neither claimed nor denied. All that can be said is that what is lost, if anything, is not more than the interval. The cosine is compared picture by picture, and its interval is narrower. By it the chain is ahead by about two hundredths with this seed, a little more than the interval; and from ten steps on more of them do not help DDIM. (With another seed that we tried both were level.)
#
# (The card's figures are from 600 drawings, without intervals. They have the chain ahead by about 3, which is less than a hundred drawings can show. Another seed for `start` and `aside` moves our differences by about as much as the intervals say. Try it.)
#
# A sharper question can be asked of DDIM alone, as it adds no chance: how far is a drawing from where very many steps would have led? The last line says it. From 5 to 10 steps about half of it goes, as it should with a method of first order (lab 08's Euler); so at 25 steps pixels are off by something like a hundredth, in a tenth of the chain's passes.
#
# **Question.** The differences to DDPM have no narrower intervals than the distances themselves, or hardly, although both sets were drawn from the same requests and the same first noise. Why does that help so little?
#
# <details><summary>Answer</summary>
#
# The chain adds fresh noise at every step, so its drawing of a thing is another one than DDIM's, as the figure shows. What the pairs share is what was asked for; what differs is everything that chance decides, and with 96 drawings that is most of the scatter.
# </details>
#
# ## 5 · Sixteen pixels are few
#
# Why not draw at 64 pixels at once? There are 16 times as many of them, and a network that attends to all places pays more than that. So one climbs (Ho et al. 2022): the decoder draws the small picture; a second diffusion model, an **upsampler**, draws one of 32 pixels, with the small one as its condition; a third does the same for 64. The small picture goes in beside the noisy large one, enlarged, as three more colours. (CLIP's vector goes in, too.)
#
# There is a catch. In training one makes small pictures from real ones, by averaging. Such small pictures are right to the last pixel, and a network that never saw others takes every pixel at its word. In use it is fed by a decoder, whose drawings have flaws.
#
# The cure of Ho et al. (they call it conditioning augmentation): **spoil** the small picture in training with noise, now more and now less, and *tell the network how much*. Then it learns how far to trust what it is fed. In use one spoils as much as seems wise. So an upsampler has two noises, and two times: one for the large picture that is being drawn, and one for the small picture, which stays as it is for the whole way.
#
# Write its loss on real pictures. Mind the order. What is averaged, and when is it spoiled? Which noise and which time belong to which? In the library `add_noise(clean, noise, time)` and `velocity(clean, noise, time)` take times, one for each picture.

# %% id="upsampler_loss" tags=["exercise"] minutes=12 difficulty=4 teaches="an upsampler's loss: a small picture spoiled by its own noise, and the network told how much"
def upsampler_loss(network, picture, noise, time, small_noise, spoilt):
    """The loss of an upsampler on real pictures.

    network(noisy, time, small, spoilt): says the velocity of the large picture
    picture, noise: [batch, 3, 2h, 2w]; time: [batch], the large picture's
    small_noise: [batch, 3, h, w]; spoilt: [batch], the small picture's time
    The small picture is the mean over blocks of 2 × 2 pixels.
    returns a scalar, the mean of the squared errors
    """
    ### BEGIN SOLUTION
    small = reduce(picture, "b c (h two) (w too) -> b c h w", "mean", two=2, too=2)
    small = add_noise(small, small_noise, spoilt)
    said = network(add_noise(picture, noise, time), time, small, spoilt)
    return (said - velocity(picture, noise, time)).square().mean()
    ### STUB
    # small = ...
    # said = ...
    # return ...
    ### END SOLUTION

# %% id="check-upsampler_loss" tags=["check"]
upsampler_loss = check("upsampler_loss")

# %% [markdown] id="told-text"
# With it we ask the shipped upsampler, which was trained like this, how much it minds. Pictures that were set aside are spoiled by some amount (a time: 0 is not at all), and it is told the truth, or that they are clean, or that they are spoilt by half, the most that it was trained on.

# %% id="told"
large_ones = real(asked_for, 32)
luck = torch.Generator().manual_seed(3)
large_noise = draw_noise(large_ones.shape, lab.device, luck)
small_noise = draw_noise((ASKED, 3, SIDE, SIDE), lab.device, luck)
times = (torch.randperm(ASKED, generator=luck).to(lab.device) + 0.5) / ASKED


def upsampler_told(amount, told):
    """The loss of the shipped upsampler: small pictures spoilt by `amount`, and what it is told."""
    def network(noisy, time, small, spoilt):
        return to_32(noisy, time, small, torch.full_like(spoilt, told), wanted)
    with torch.no_grad():
        return upsampler_loss(network, large_ones, large_noise, times, small_noise,
                              torch.full_like(times, amount)).item()


AMOUNTS = (0, 0.1, 0.2, 0.3, 0.5)
loss_of = {amount: [upsampler_told(amount, told) for told in (amount, 0, 0.5)]
           for amount in AMOUNTS}
print("spoilt by    told the truth    told: clean    told: by half")
for amount, (truth, clean, half) in loss_of.items():
    print(f"{amount:9}{f'⟨{truth:.3f}⟩':>18}{f'⟨{clean:.3f}⟩':>15}{f'⟨{half:.3f}⟩':>17}")
claim("spoilt by 0.3, told the truth: loss, in parts of that for clean ones",
      loss_of[0.3][0] / loss_of[0][0], below=2.2,
      control={"told that they are clean": loss_of[0.3][1] / loss_of[0][0]},
      paper="Ho et al. 2022")

# %% [markdown] id="told-read"
# The truth costs little: the more is spoiled, the less the network can know, and the more it has to make up. A lie costs a lot, and it is the wrong sort of trust that costs most. A network to which everything is clean draws the noise as if it were a part of the picture.
#
# What does that do to drawings? We enlarge two sets to 32 pixels: the decoder's, and the same with some grain on them (noise up to the time 0.15), as a careless sampler leaves it, one that adds noise at its last step. At first nobody tells the upsampler of the grain. How much shall we spoil, on top? Then somebody does tell it.

# %% id="spoil"
@torch.no_grad()
def enlarge(network, small, amount, steps, told=None):
    """Pictures twice as large, by DDIM.

    amount: how much the small pictures are spoilt first; told: what is said of it, if not the truth
    """
    luck, parts = torch.Generator().manual_seed(4), []
    side = network.config.size
    for some, own in track(list(zip(small.split(CHUNK), wanted.split(CHUNK))), f"to {side} pixels"):
        spoilt = torch.full((len(some),), float(amount), device=lab.device)
        spoiled = add_noise(some, draw_noise(some.shape, lab.device, luck), spoilt)
        said = spoilt if told is None else torch.full_like(spoilt, told)
        noise = draw_noise((len(some), 3, side, side), lab.device, luck)
        parts.append(sample_ddim(by_upsampler(network, spoiled, said, own), noise, steps))
    return torch.cat(parts)


def by_upsampler(network, spoiled, said, vectors):
    """What the sampler asks of an upsampler."""
    def denoiser(noisy, time):
        return network(noisy, time, spoiled, said, vectors)
    return denoiser


UP_STEPS = budget(cpu=8, gpu=8, smoke=1)
grain = draw_noise(drawn.shape, lab.device, torch.Generator().manual_seed(5))
fed = {"as drawn": drawn,
       "with grain": add_noise(drawn, grain, torch.full((SHEET,), 0.15, device=lab.device))}
yardstick_32 = look(real(known[:REAL], 32))
SPOILS = (0, 0.1, 0.2, 0.3)
middle_sized = {(what, amount): enlarge(to_32, small, amount, UP_STEPS)
                for what, small in fed.items() for amount in SPOILS}
only_told = {(what, told): enlarge(to_32, fed[what], amount, UP_STEPS, told)
             for what, amount, told in (("with grain", 0, 0.15), ("as drawn", 0, 0.15),
                                        ("as drawn", 0.2, 0))}

# %% id="spoil-table"
spoil_distance = {key: distances(look(some), yardstick_32) for key, some in middle_sized.items()}
print("spoilt by     " + "".join(f"{amount:>14}" for amount in SPOILS))
for what in fed:
    print(f"{what:14}" + "".join(f"{plus_minus(spoil_distance[what, amount]):>14}"
                                 for amount in SPOILS))
told_distance = {key: distances(look(some), yardstick_32) for key, some in only_told.items()}
print(f"with grain, spoilt by 0, told 0.15:  {plus_minus(told_distance['with grain', 0.15])}\n"
      f"as drawn, spoilt by 0, told 0.15:    {plus_minus(told_distance['as drawn', 0.15])}\n"
      f"as drawn, spoilt by 0.2, told clean: {plus_minus(told_distance['as drawn', 0])}")
claim("grain: distance when told of it, less that when told that all is clean",
      told_distance["with grain", 0.15][0] - spoil_distance["with grain", 0][0], below=-100,
      control={"without grain, told of some": told_distance["as drawn", 0.15][0]
               - spoil_distance["as drawn", 0][0]}, paper="Ho et al. 2022")

# %% id="fig-spoil" tags=["nbval-ignore-output"]
rows = [(drawn, "as drawn, 16 pixels"), (middle_sized["as drawn", 0], "spoilt by 0"),
        (middle_sized["as drawn", 0.3], "spoilt by 0.3"), (fed["with grain"], "with grain"),
        (middle_sized["with grain", 0], "told: clean"),
        (only_told["with grain", 0.15], "told 0.15")]
figure, panels = plt.subplots(len(rows), 1, figsize=(9.0, 4.3))
for panel, (some, label) in zip(panels, rows):
    strip(panel, some[:SHOWN], label)
show(figure, alt="Drawings of 16 pixels and what the upsampler made of them at 32: without noise "
     "on top the same in finer strokes, with 0.3 of it things change. Below, the grainy ones: "
     "untold the grain becomes specks and crumbs, told of it hardly any is left.")

# %% [markdown] id="spoil-read"
# Read the two lines of the table. With grain, some noise on top helps a great deal, and for a plain reason: the network is told of *some* noise then, and takes away the grain with the rest. The next line shows that it is the telling that helps. Told of the grain, with nothing added, it does at least as well. So one spoils where one does not know what is wrong with the small picture: noise of which one knows how much drowns flaws of which one does not.
#
# As drawn, nothing is won, neither by spoiling nor by telling; what is lost is within the intervals. Our decoder's flaws are of another kind: a wrong shape, a soft edge. These such noise does not drown. (Ho et al. look for the best amount by trial, too.) The last line shows a network that takes its input at its word, as, we guess, one would that never saw any but clean pictures. That the cure is needed for *this* decoder we have not shown.
#
# ### To 64 pixels
#
# Now the whole cascade, with as little spoiling as these drawings seem to need: none. Is what comes out at 64 pixels any better than the decoder's 16 pixels, enlarged? There is a difficulty: CLIP sees 32 pixels, and what is finer it never sees. So we cut five squares of 32 pixels out of each picture, four quarters and the middle, and let it look at those. It was never trained on such cuttings, so do not trust it alone. A second judge knows nothing of pictures: how much does a pixel differ from the mean of its four neighbours? Blurred pictures have less of this than real ones. And a third has the truth: shrink *real* pictures to 16 pixels, enlarge them again, and see how far off the pixels are.
#
# Judges that look for sharpness can be bribed. So one more rival takes part: bicubic enlarging and a filter that makes any edge sharp, without knowing anything.

# %% id="cascade"
def corners(some):
    """Four quarters and the middle of pictures of 64 pixels: [n, 5, 3, 32, 32]."""
    cuts = ((0, 0), (0, 32), (32, 0), (32, 32), (16, 16))
    return torch.stack([some[..., y:y + 32, x:x + 32] for y, x in cuts], dim=1)


def look_closely(some):
    """CLIP's vectors of the five cuttings of each picture: [5, n, 128]."""
    return rearrange(look(corners(some).flatten(0, 1)), "(n five) d -> five n d", five=5)


def edges(some):
    """How much pixels differ from their four neighbours' mean, root mean square."""
    around = torch.tensor([[0, 0.25, 0], [0.25, -1, 0.25], [0, 0.25, 0]], device=some.device)
    kernel = around.expand(3, 1, 3, 3)
    return F.conv2d(unclip.unit(some), kernel, groups=3).square().mean().sqrt().item()


def plainly(small, how):
    """Twice as large, and twice again, without any network."""
    for _ in range(2):
        small = F.interpolate(small, scale_factor=2.0, mode=how).clamp(-1, 1)
    return small


def sharpened(some):
    """Each number becomes the lowest or the highest around it, whichever is nearer."""
    low, high = -F.max_pool2d(-some, 5, 1, 2), F.max_pool2d(some, 5, 1, 2)
    return torch.where(some - low < high - some, low, high)


begun = clock.perf_counter()
middle_size = enlarge(to_32, drawn, 0, UP_STEPS)
seconds["to 32"], begun = seconds_since(begun), clock.perf_counter()
cascade = enlarge(to_64, middle_size, 0, 2 * UP_STEPS)
seconds["to 64"] = seconds_since(begun)
print(f"{SHEET} pictures of 64 pixels: " + ", ".join(f"{part} ⟨{each:.1f}⟩ s"
                                                  for part, each in seconds.items())
      + f"; together ⟨{sum(seconds.values()):.1f}⟩ s on ⟨{torch.get_num_threads()}⟩ threads")

# %% id="cascade-table"
true_64, shrunk = real(asked_for[:SHEET], 64), real(asked_for[:SHEET])
redrawn_32 = enlarge(to_32, shrunk, 0, UP_STEPS)
ways = {"cascade": (cascade, enlarge(to_64, redrawn_32, 0, 2 * UP_STEPS))}
for how in ("bicubic", "bilinear", "nearest"):
    ways[how] = plainly(drawn, how), plainly(shrunk, how)
ways["bicubic, sharpened"] = tuple(map(sharpened, ways["bicubic"]))
ways["real, asked for"] = true_64, true_64
yardstick_64 = look_closely(real(known[:REAL // 4], 64))
close_distance, off_the_truth = {}, {}
print("                    distance of cuttings     edges   from true ones: pixels off")
for how, (some, from_true) in ways.items():
    five = zip(look_closely(some), yardstick_64)  # place by place: no picture beside itself
    close_distance[how] = torch.stack([distances(*each) for each in five]).mean(dim=0)
    off_the_truth[how] = apart(from_true, true_64)
    print(f"{how:20}{plus_minus(close_distance[how]):>20}{f'⟨{edges(some):.3f}⟩':>10}"
          f"{f'⟨{off_the_truth[how]:.4f}⟩':>29}")
claim("64 pixels: the cascade's distance, in parts of bicubic enlarging's",
      close_distance["cascade"][0] / close_distance["bicubic"][0], below=0.6,
      control={"bilinear": close_distance["bilinear"][0] / close_distance["bicubic"][0],
               "nearest": close_distance["nearest"][0] / close_distance["bicubic"][0]})
claim("64 pixels, from true small pictures: pixels off, in parts of bicubic enlarging's",
      off_the_truth["cascade"] / off_the_truth["bicubic"], below=0.95,
      control={"bicubic, sharpened": off_the_truth["bicubic, sharpened"]
               / off_the_truth["bicubic"]})

# %% id="fig-cascade" tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 5.0))
sheet(left, ways["bicubic"][0], "16 pixels, enlarged (bicubic)")
sheet(right, cascade, "the cascade, 64 pixels: the first 64, none left out")
show(figure, alt="The 64 drawings twice at 64 pixels. Left, plainly enlarged, all are out of "
     "focus. Right, drawn by the cascade, outlines are sharp and areas mostly even; what was a "
     "smudge at 16 pixels is a sharp smudge now.")

# %% [markdown] id="cascade-read"
# By CLIP's cuttings the cascade is much nearer to real pictures than all that is plainly enlarged. And so is the filter! What CLIP sees of cuttings at 64 pixels is, for the most part, whether they are sharp. The second judge sees nothing else: repeated pixels (“nearest”) have nearly the edges of real ones, all in the wrong places. Only the third, who has the truth, tells the cascade from the filter: what it adds is, a little more often, what was there. It is a little, and it cannot be much: most of what 64 pixels show, 16 do not say.
#
# What the cascade cannot do is to mend. A thing that was drawn wrong at 16 pixels is drawn wrong at 64, only more sharply, and now and then a thing that was right gets worse: look for the signs. Sharp pictures look more convincing than they are; a judge who sees edges falls for it, too.
#
# **Question.** Why do we not simply shrink the cascade's pictures to 32 pixels and let CLIP judge them whole?
#
# <details><summary>Answer</summary>
#
# It would judge what 16 and 32 pixels had decided, and nothing that the last upsampler did: averaging over 2 × 2 pixels takes away nearly all of that.
# </details>
#
# ## 6 · The way back to noise
#
# DDIM adds no chance. From a noise it goes to *one* picture, step by step. Can the way be walked in the other direction, from a real picture to the noise that it would be drawn from? Each step asks the network how the picture is made up of clean thing and noise, and puts both together again for another time. Nothing says that the other time has to be earlier.
#
# So one function is enough for both directions: it walks along a list of times. From 1 down to 0 it draws; from 0 up to 1 it **inverts**. Mind recall question 1: inverting begins at 0. `clean_and_noise(noisy, velocity, time)` is lab 08's, with a time for each picture in the place of $\bar\alpha$. It needs no division.

# %% id="walk" tags=["exercise"] minutes=10 difficulty=3 teaches="DDIM along any times, so also from a picture to its noise"
def walk(network, x, times):
    """DDIM along these times, in either direction.

    network: a function of noisy [batch, …] and times [batch], to velocities
    x: [batch, …], at the first time; times: a list of numbers from 0 to 1
    returns the things at the last time. The network is asked at all times but the last
    """
    ### BEGIN SOLUTION
    for now, then in pairwise(times):
        at = torch.full((len(x),), now, device=x.device)
        clean, noise = clean_and_noise(x, network(x, at), at)
        x = add_noise(clean, noise, torch.full_like(at, then))
    return x
    ### STUB
    # for now, then in pairwise(times):
    #     at = torch.full((len(x),), now, device=x.device)
    #     clean, noise = ...
    #     x = ...
    # return x
    ### END SOLUTION

# %% id="check-walk" tags=["check"]
walk = check("walk")

# %% id="guess-noise" tags=["nbval-ignore-output"]
guess_noise = predict("Noise that pictures are drawn from has a standard deviation of 1. What will "
                      "that of the noise be which real pictures lead back to, in 50 steps?",
                      low=0, high=2, step=0.05)

# %% id="inversion"
SOURCES = budget(cpu=24, gpu=64, smoke=2)
sources, vectors = real(asked_for[:SOURCES]), wanted[:SOURCES]
BOTH_WAYS = [budget(cpu=each, gpu=each, smoke=at) for at, each in enumerate((5, 10, 25, 50), 2)]


def times_up(steps):
    """From 0 to 1 in equal steps."""
    return torch.linspace(0, 1, steps + 1).tolist()


def neighbours(noise):
    """How pixels go with their right neighbours: a correlation."""
    one, other = noise[..., 1:].flatten(), noise[..., :-1].flatten()
    return torch.corrcoef(torch.stack([one, other]))[0, 1].item()


there, back = {}, {}
with torch.no_grad():
    for steps in track(BOTH_WAYS, "there and back"):
        there[steps] = walk(ask_for(vectors, 1), sources, times_up(steps))
        back[steps] = walk(ask_for(vectors, 1), there[steps], times_up(steps)[::-1])
print("steps   pixels off after both ways   the noise: deviation   neighbours' correlation")
for steps in BOTH_WAYS:
    print(f"{steps:5}{f'⟨{apart(back[steps], sources):.3f}⟩':>29}"
          f"{f'⟨{there[steps].std():.2f}⟩':>24}{f'⟨{neighbours(there[steps]):.2f}⟩':>26}")
drawn_noise = start[:SOURCES]
print(f"drawn noise{'':42}⟨{drawn_noise.std():.2f}⟩{f'⟨{neighbours(drawn_noise):.2f}⟩':>26}")
LONGEST = BOTH_WAYS[-1]
claim("there and back in 50 steps: pixels off", apart(back[LONGEST], sources), below=0.03,
      control={"in 5 steps": apart(back[BOTH_WAYS[0]], sources)}, paper="Song et al. 2021, table 2")
claim("the noise that pictures lead back to: deviation", there[LONGEST].std(), below=0.85,
      control={"noise that was drawn": drawn_noise.std()})

# %% [markdown] id="redraw-text"
# There and back: to the eye nothing is lost. And what was on the way? If it is noise like any other, one can draw something else from it. We give each noise the *next* picture's vector. Two controls: the same noise with its pixels shuffled over the places, and noise that was drawn.

# %% id="redraw"
def shuffled_places(noise):
    """The same pixels at other places."""
    order = torch.randperm(noise.shape[-1] ** 2, generator=torch.Generator().manual_seed(6))
    flat = rearrange(noise, "n c h w -> n c (h w)")[..., order.to(noise.device)]
    return rearrange(flat, "n c (h w) -> n c h w", h=noise.shape[-1])


others = vectors.roll(-1, 0)
noises = {"led back to": there[LONGEST], "the same, shuffled": shuffled_places(there[LONGEST]),
          "drawn": drawn_noise}
with torch.no_grad():
    redrawn = {what: walk(ask_for(others, 1), noise, times_up(LONGEST)[::-1])
               for what, noise in track(list(noises.items()), "drawing anew")}
print("noise                 off the source   cosine with the vector asked for")
for what, some in redrawn.items():
    print(f"{what:20}{f'⟨{apart(some.clamp(-1, 1), sources):.3f}⟩':>16}"
          f"{f'⟨{alike(look(some), others):.3f}⟩':>35}")

# %% id="fig-inversion" tags=["nbval-ignore-output"]
rows = [("real", sources), ("its noise (× ⅓)", there[LONGEST] / 3),
        ("drawn noise (× ⅓)", drawn_noise / 3),
        (f"back, {BOTH_WAYS[0]} steps", back[BOTH_WAYS[0]]), (f"back, {LONGEST}", back[LONGEST]),
        ("the next one's vector", redrawn["led back to"]),
        ("… noise shuffled", redrawn["the same, shuffled"]), ("… drawn noise", redrawn["drawn"])]
figure, panels = plt.subplots(len(rows), 1, figsize=(9.0, 4.9))
for panel, (label, some) in zip(panels, rows):
    strip(panel, some[:SHOWN], label)
if guess_noise.value is not None:
    figure.supxlabel(f"deviation of the noise: {there[LONGEST].std():.2f}, your guess "
                     f"{guess_noise.value:.2f}", fontsize=9)
show(figure, alt="Fourteen real emoji; the noise that they lead back to, in which their outlines "
     "can be seen and white areas are grey; drawn noise, in which there is nothing to see; the "
     "pictures that the first noise leads to again, changed after 5 steps and the same after 50; "
     "and three rows of drawings with the next picture's vector.")

# %% [markdown] id="inversion-read"
# The way back leads home: in 50 steps with an error that nobody sees, in 5 with one that everybody does. But look at what lies at the other end. Noise has a deviation of 1, and its pixels know nothing of each other. This has not two thirds of that, its neighbours go together, and you can see the picture in it: outlines are bright, and white areas are grey. It *is* the picture, written in another way. That one gets back says nothing about how noise-like it is.
#
# What is drawn from it with another vector shows that. It stays somewhat nearer to the source than what is drawn from drawn noise, and shuffling the pixels takes half or more of that away: so part of it is layout. And it is paler, and less like what was asked for. The decoder has learned to draw from noise of deviation 1, and this is less.
#
# **Question.** Why is it too little? Think of the first step. At time 0 the network is shown a picture without any noise and asked for the velocity, which there is the noise.
#
# <details><summary>Answer</summary>
#
# It cannot know. A squared error makes it say the mean of all noises that would fit, and for a clean picture that is next to nothing, least of all in an even white area. So the first step puts less noise on the picture than belongs to its time, and every later step is asked about a picture that is cleaner than it is said to be. The shorter the steps, the less is lost (see the table), but even with 50 it is a lot. Exercise 2 begins a little later.
# </details>
#
# ## 7 · What was claimed, and what you measured
#
# | claim | the paper says | here |
# |---|---|---|
# | guidance buys fidelity with spread | better samples and fewer kinds of them (Ho and Salimans 2022, §4) | up to a weight of about 3; past 5 fidelity is lost, too, and spread does not come back: section 3 |
# | it takes a network that learned both ways | a share of 10 to 20 % without the condition does (Ho and Salimans 2022, §4) | with 15 % guidance makes clouds tighter; with none it only throws them far off: section 1 |
# | 25 steps of DDIM do for 250 of DDPM | a few dozen steps are near to a thousand (Song et al. 2021, table 1) | **not decided**: by the distance 96 drawings cannot tell the two apart, by the cosine the chain is ahead by more than the interval with this seed; two steps are plainly worse: section 4 |
# | an upsampler must be told how far to trust | a cascade's quality “relies crucially” on spoiling (Ho et al. 2022, abstract) | on grainy pictures being told is worth a great deal, and a lie ruins everything; on our own decoder's drawings it wins nothing: section 5 |
# | a cascade beats plain enlarging | cascades drew the best pictures of their time, up to 256 pixels (Ho et al. 2022, abstract); nobody there enlarged plainly | yes; but by CLIP a filter that makes edges sharp does as well, and only a comparison with the truth has the cascade ahead, by a little: section 5 |
# | DDIM can be walked backwards | a small error after 50 steps and more (Song et al. 2021, table 2) | yes, and it leads to something that is not noise: section 6 |
#
# **What does not carry over.** CLIP judged what was drawn from CLIP's vectors, and its own training pictures are the yardstick. KID on photographs takes tens of thousands of pictures and a network that was trained on others. With our few dozen, intervals are wide, and we have said so. Where the best weight lies depends on the model, on what it is told and on who judges: where a caption is all that is asked for, which says much less than the vector of a very picture, larger weights may pay. And emoji are flat: a white ground, few colours. That makes inverting harder and enlarging easier than with photographs.
#
# **Three questions to ask of any paper**
#
# - *What is actually new?* Ho and Salimans found that the classifier which steered diffusion before (Dhariwal and Nichol 2021) is not needed: one network, asked twice, does it. The idea fits in a line.
# - *What is not?* That sharpening a distribution buys quality with variety: low temperatures and truncation did so before, as the paper says (§1).
# - *When does it fail?* When it is overdone; when nobody trained the nothing; and when the number that is to prove it comes without its interval, from a set of another size, or from the judge whose vectors were asked for.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## 8 · Going further
#
# **1. In-painting.** Keep the left half of a picture and let the decoder draw the right. Nothing has to be learned: before each step put the known half, as noisy as the time says, in its place. Then both halves know little of each other at first; so Lugmayr et al. (2022) go back and forth: after a step put noise on again and repeat it. How well do the halves meet?
#
# <details><summary>Solution</summary>
#
# ```python
# @torch.no_grad()
# def fill_in(known_ones, is_known, own, steps, times_each):
#     """Draw what is not known of pictures; is_known: [height, width], true or false."""
#     luck, ask = torch.Generator().manual_seed(8), ask_for(own, 1)
#     x = draw_noise(known_ones.shape, lab.device, luck)
#     for now, then in pairwise(times_up(steps)[::-1]):
#         at = torch.full((len(x),), now, device=lab.device)
#         factor = math.cos(now * math.pi / 2) / math.cos(then * math.pi / 2)  # √α of this step
#         for turn_at in range(times_each):
#             fresh = draw_noise(x.shape, lab.device, luck)
#             x = torch.where(is_known, add_noise(known_ones, fresh, at), x)
#             clean, noise = clean_and_noise(x, ask(x, at), at)
#             x = add_noise(clean.clamp(-1, 1), noise, torch.full_like(at, then))
#             if turn_at < times_each - 1:  # forth again: lab 08's one step of the chain
#                 fresh = draw_noise(x.shape, lab.device, luck)
#                 x = factor * x + math.sqrt(1 - factor ** 2) * fresh
#     return torch.where(is_known, known_ones, x)
#
#
# def seam(some):
#     """How much pixels differ across the middle, in parts of the real pictures."""
#     jump, real_jump = ((each[..., SIDE // 2] - each[..., SIDE // 2 - 1]).square().mean().sqrt()
#                        for each in (some, sources))
#     return float(jump / real_jump)
#
#
# is_known = torch.arange(SIDE, device=lab.device).expand(SIDE, SIDE) < SIDE // 2
# pasted = torch.where(is_known, sources, at_weight[1][:SOURCES])
# once_over = fill_in(sources, is_known, vectors, 15, 1)
# filled = fill_in(sources, is_known, vectors, 15, 4)
# print(f"jump at the seam: each step once ⟨{seam(once_over):.2f}⟩, four times ⟨{seam(filled):.2f}⟩")
# claim("jump at the seam, in parts of the real pictures'", seam(filled), below=1.5,
#       control={"two halves pasted together": seam(pasted), "once over": seam(once_over)})
# ```
#
# Pasted together, the jump is about twice that of real pictures; filled in, it is nearer to theirs, and going back and forth helps. (Try it with guidance: the seam gets worse. Away from “nothing” also means away from what the left half suggests.)
# </details>
#
# **2. A little later.** Begin to invert at a time of 0.1, from the picture with that much real noise on it. Is what one gets more like noise? And does the way back still lead to the picture?
#
# <details><summary>Solution</summary>
#
# ```python
# LATER = 0.1
# from_later = torch.linspace(LATER, 1, LONGEST + 1).tolist()
# real_noise = draw_noise(sources.shape, lab.device, torch.Generator().manual_seed(9))
# grainy = add_noise(sources, real_noise, torch.full((SOURCES,), LATER, device=lab.device))
# with torch.no_grad():
#     found_noise = walk(ask_for(vectors, 1), grainy, from_later)
#     returned = walk(ask_for(vectors, 1), found_noise, from_later[::-1] + [0.0])
# print(f"neighbours ⟨{neighbours(found_noise):.2f}⟩, was ⟨{neighbours(there[LONGEST]):.2f}⟩; "
#       f"pixels off ⟨{apart(returned, sources):.3f}⟩, was ⟨{apart(back[LONGEST], sources):.3f}⟩")
# claim("begun at 0.1: deviation of the noise", found_noise.std(), between=(0.9, 1.1),
#       control={"begun at 0": there[LONGEST].std()})
# ```
#
# With a hint of real noise to begin with, what comes out has the deviation of noise, and its neighbours do not go together. One pays with the way back: the picture returns with the grain drawn over anew, and so some details are lost. Between both one may choose.
# </details>
#
# **3. Only in the middle.** Kynkäänniemi et al. (2024) guide in a part of the way alone. Ask for weight 8, but only between the times 0.2 and 0.8. What becomes of fidelity? And if you guide everywhere *but* there?
#
# <details><summary>Solution</summary>
#
# ```python
# def ask_in_part(own, weight, in_the_middle):
#     """Guided between the times 0.2 and 0.8 only, or everywhere but there."""
#     def denoiser(noisy, time):
#         middle = 0.2 < time[0].item() < 0.8
#         return ask_for(own, weight if middle == in_the_middle else 1)(noisy, time)
#     return denoiser
#
#
# part_fidelity = {in_the_middle: alike(look(sample_ddim(
#     ask_in_part(wanted[:TWICE], 8, in_the_middle), start[:TWICE], FIRST_STEPS)), wanted[:TWICE])
#     for in_the_middle in (True, False)}
# all_the_way = alike(seen[8][:TWICE], wanted[:TWICE])
# claim("weight 8 in the middle only: fidelity, above that of all the way",
#       part_fidelity[True] - all_the_way, above=0.012,
#       control={"everywhere but in the middle": part_fidelity[False] - all_the_way})
# ```
#
# In the middle only, the large weight does no harm: fidelity is about as high as at the best weight of section 3. At the beginning, where there is nothing but noise to be seen, and at the end, where all is decided, to push is to drive colours to their limits. Everywhere but in the middle it is about as bad as all the way.
# </details>
#
# **Reading.** Ho and Salimans (2022), “Classifier-Free Diffusion Guidance”. Dhariwal and Nichol (2021), “Diffusion Models Beat GANs on Image Synthesis”. Bińkowski et al. (2018), “Demystifying MMD GANs”. Gretton et al. (2012), “A Kernel Two-Sample Test”. Heusel et al. (2017), “GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium” (FID). Ho et al. (2022), “Cascaded Diffusion Models for High Fidelity Image Generation”. Song, Meng and Ermon (2021), “Denoising Diffusion Implicit Models”. Lugmayr et al. (2022), “RePaint: Inpainting using Denoising Diffusion Probabilistic Models”. Kynkäänniemi et al. (2024), “Applying Guidance in a Limited Interval Improves Sample and Distribution Quality in Diffusion Models”. Parmar, Zhang and Zhu (2022), “On Aliased Resizing and Surprising Subtleties in GAN Evaluation”.
#
# Next comes lab 09, unCLIP.
