# ---
# squint:
#   lab: "08"
#   title: Diffusion
#   minutes: 130
#   promise: Drown points and pictures in noise, learn the way back, count what a rival loses on the way, and see when a network invents and when it recites.
#   prerequisites: ["03_transformer", "07_clip"]
#   objectives:
#     - noise anything to any degree in one step
#     - turn a network's prediction into the clean thing and the noise
#     - write the training loss, the chain's step back and DDIM's
#     - train the same network by flow matching, and say what differs
#     - compute the best denoiser of a finite set, and say why it is useless
#     - measure whether a network recites its training pictures
#   claim: A network that learns to take a little noise away again makes new things out of pure noise, and of all kinds that it was shown, where a plain generator trained against a critic drops some.
#   source: Ho, Jain and Abbeel 2020, “Denoising Diffusion Probabilistic Models”; Song, Meng and Ermon 2021, “Denoising Diffusion Implicit Models”; Lipman et al. 2023, “Flow Matching for Generative Modeling”
# ---

# %% [markdown] id="title"
# # Diffusion
#
# *Drown points and pictures in noise, learn the way back, count what a rival loses on the way, and see when a network invents and when it recites.*
#
# 130 minutes · after [lab 03, The Transformer](03_transformer.ipynb), and [lab 07, CLIP](07_clip.ipynb) · two CPU cores are enough
#
# **When you are through, you can**
#
# - noise anything to any degree in one step;
# - turn a network's prediction into the clean thing and the noise;
# - write the training loss, the chain's step back and DDIM's;
# - train the same network by flow matching, and say what differs;
# - compute the best denoiser of a finite set, and say why it is useless;
# - measure whether a network recites its training pictures.
#
# **The claim under test.** A network that learns to take a little noise away again makes new things out of pure noise, and of all kinds that it was shown, where a plain generator trained against a critic drops some (Ho et al. 2020, below *the paper*, for the first half; Dhariwal and Nichol 2021, §1, for the second).

# %% id="setup" tags=["setup"]
lab = begin("08_diffusion")

# %% id="imports"
import math
import time as clock

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from squint import train
from squint.data import album, emoji
from squint.models import clip
from squint.models.diffusion import TimeEmbedding
from squint.nn.unet import UNet
from squint.viz import colours, style

# %% [markdown] id="recall"
# ## Before we start
#
# Three questions on earlier labs. Answer aloud, then unfold.
#
# **1.** Lab 03's network knew where a word stood, by waves of many lengths. Today's has to know *how much* noise there is. How could it be told?
#
# <details><summary>Answer</summary>
#
# In the same way: the amount is a number, and sines and cosines of it at several frequencies make a vector that a network can read well.
# </details>
#
# **2.** The softmax of $-d_i^2$, for distances $d_i$: which thing gets the largest weight, and what if all $d_i^2$ are multiplied by 1,000?
#
# <details><summary>Answer</summary>
#
# The nearest thing. With the factor the softmax gets so sharp that it is all but the only one (lab 02's scale, lab 07's temperature).
# </details>
#
# **3.** Lab 07 kept 150 concepts away from training. How does one tell then that a model has learned by heart?
#
# <details><summary>Answer</summary>
#
# It does well on what it was trained on and badly on what was kept away. A model that *draws* gives no answers that could be right; there we shall ask whether its pictures lie nearer to those of the training than other real pictures do.
# </details>

# %% [markdown] id="gan-text"
# ## 1 · The forger and the critic
#
# Before 2020 the networks that drew the best pictures were trained in pairs (Goodfellow et al. 2014). A **generator** makes something out of random numbers. A **critic** gets real things and made ones, and has to tell them apart. The generator learns from nothing but the critic's verdict. Such a pair is called a GAN, a generative adversarial network.
#
# What can go wrong, one sees best where one can count. Here is a world of points in a plane, in eight heaps. Some are common and some are rare, each 0.7 times as large as the next larger one: so it is in most collections, in which there are many cats and few okapis. A good generator makes points in all eight, in the right shares, and few in between.
#
# All nets of this part are trained four times over, from four beginnings, side by side: `Several` holds four small networks and multiplies all at once.

# %% id="heaps"
SEEDS, HEAPS, WIDTH = 4, 8, 0.06
turn = torch.arange(HEAPS, device=lab.device) * (2 * math.pi / HEAPS)
centres = math.sqrt(2) * torch.stack([turn.cos(), turn.sin()], dim=1)  # so each axis has variance 1
sizes = 0.7 ** torch.tensor([4.0, 1, 6, 0, 3, 7, 2, 5], device=lab.device)
shares = sizes / sizes.sum()


def heaps(number):
    """Points of the world: [number, 2]."""
    which = torch.multinomial(shares, number, replacement=True)
    return centres[which] + WIDTH * torch.randn(number, 2, device=lab.device)


class Several(nn.Module):
    """SEEDS networks of one form; each reads its own part of the batch."""

    def __init__(self, *widths, activation):
        super().__init__()
        self.activation = activation
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in zip(widths, widths[1:]):
            self.weights.append(torch.randn(SEEDS, inputs, outputs) * math.sqrt(2 / inputs))
            self.biases.append(torch.zeros(SEEDS, 1, outputs))

    def forward(self, x):  # [(seeds batch), inputs]
        x = rearrange(x, "(seeds batch) inputs -> seeds batch inputs", seeds=SEEDS)
        for at, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            x = torch.baddbmm(bias, self.activation(x) if at else x, weight)
        return rearrange(x, "seeds batch outputs -> (seeds batch) outputs")


def weights_in_one(model):
    """How many weights each of the SEEDS networks has."""
    return sum(weight.numel() for weight in model.parameters()) // SEEDS


def count(points, wanted=shares):
    """Of each seed: heaps found, and percent of good points.

    A point is good if it lies within four widths of a centre. A heap is found if it has at least a
    quarter of the share of the points that is wanted.
    """
    distance, heap = torch.cdist(points, centres).min(dim=1)
    good = distance < 4 * WIDTH
    inside = F.one_hot(heap, HEAPS) * good[:, None]
    inside = rearrange(inside, "(seeds batch) heaps -> seeds batch heaps", seeds=SEEDS)
    found = (inside.float().mean(dim=1) >= wanted / 4).sum(dim=1)
    return found.tolist(), (100 * inside.sum(dim=2).float().mean(dim=1)).tolist()


print("shares of the heaps, %:", ", ".join(f"{100 * each:.1f}" for each in shares.tolist()))
torch.manual_seed(0)
print("heaps found among real points:", count(heaps(4_000 * SEEDS))[0])

# %% [markdown] id="gan-train-text"
# The critic says for each point how real it looks, as a logit $c$. Its loss is the usual one for two classes, $\log(1+e^{-c})$ for real points and $\log(1+e^{c})$ for made ones. The generator's loss is $\log(1+e^{-c})$ for its own points: it wants them to be taken for real (the non-saturating loss of Goodfellow et al., §3).
#
# We want this rival as good as such a pair can be made: leaky rectifiers ($\max(x, x/100)$, so that no unit is ever dead), Adam with $\beta = (0.5, 0.9)$, and a learning rate that falls to a fiftieth, so that the two come to rest. Other settings were tried: a smaller rate finds a heap more now and then and makes fewer good points, a larger one the reverse; other activations find fewer heaps; more random numbers at the entrance, far fewer.

# %% id="guess-heaps" tags=["nbval-ignore-output"]
guess_heaps = predict("How many of the eight heaps does the generator find, on average of four "
                      "beginnings?", low=0, high=8, step=0.5)

# %% id="train-gan"
BATCH = 256  # of each seed
GAN_STEPS = budget(cpu=2_000, gpu=4_000, smoke=10)


def falling(rate, step, steps):
    """The learning rate at this step, from `rate` to a fiftieth of it."""
    return rate * (0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2)


def train_gan(steps, real, penalty=0.0, rate=1e-3):
    """Returns the generator, and its points at six moments of the training."""
    torch.manual_seed(0)
    generator = Several(2, 64, 64, 64, 2, activation=F.leaky_relu).to(lab.device)
    critic = Several(2, 64, 64, 64, 1, activation=F.leaky_relu).to(lab.device)
    optimisers = [torch.optim.Adam(net.parameters(), rate, (0.5, 0.9), fused=True)
                  for net in (generator, critic)]
    moments = []
    for step in track(range(steps), "generator and critic"):
        for optimiser in optimisers:
            optimiser.param_groups[0]["lr"] = falling(rate, step, steps)
        points = real(BATCH * SEEDS).requires_grad_(penalty > 0)
        made = generator(torch.randn_like(points))
        verdict = critic(points)
        loss = F.softplus(-verdict).mean() + F.softplus(critic(made.detach())).mean()
        if penalty:
            slope, = torch.autograd.grad(verdict.sum(), points, create_graph=True)
            loss = loss + penalty / 2 * slope.square().sum(dim=1).mean()
        optimisers[1].zero_grad()
        loss.backward()
        optimisers[1].step()
        optimisers[0].zero_grad()
        F.softplus(-critic(made)).mean().backward(inputs=list(generator.parameters()))
        optimisers[0].step()
        if step in (0, steps // 20, steps // 8, steps // 4, steps // 2, steps - 1):
            with torch.no_grad():
                moments.append((step + 1, generator(torch.randn(1_000 * SEEDS, 2,
                                                                device=lab.device))))
    return generator, critic, moments


begun = clock.perf_counter()
generator, critic, moments = train_gan(GAN_STEPS, heaps)
gan_seconds = clock.perf_counter() - begun
with torch.no_grad():
    gan_points = generator(torch.randn(4_000 * SEEDS, 2, device=lab.device))
gan_found, gan_good = count(gan_points)
print(f"{weights_in_one(generator) + weights_in_one(critic):,} weights in a pair")
print(f"four pairs in ⟨{gan_seconds:.0f}⟩ seconds; heaps found ⟨{gan_found}⟩, good points "
      f"⟨{sum(gan_good) / SEEDS:.0f} %⟩")

# %% id="fig-gan" tags=["nbval-ignore-output"]
def plane(panel, points, title, colour=colours.BLUE):
    """Points over rings around the heaps; what lies in a ring is a good point."""
    for centre in centres.tolist():
        panel.add_patch(plt.Circle(centre, 4 * WIDTH, fill=False, edgecolor=colours.GREY))
    panel.scatter(*points.T.cpu(), s=2, alpha=0.35, color=colour, linewidths=0)
    panel.set(xlim=(-2.1, 2.1), ylim=(-2.1, 2.1), xticks=[], yticks=[], aspect="equal")
    panel.set_title(title, fontsize=8)
    panel.grid(False)


figure, panels = plt.subplots(2, 7, figsize=(9.6, 3.0))
for strip, seed in zip(panels, (0, 1)):
    own = slice(1_000 * seed, 1_000 * (seed + 1))
    for panel, (step, points) in zip(strip, moments):
        plane(panel, points[own], f"step {step:,}" if seed == 0 else "", colours.VERMILION)
    plane(strip[-1], heaps(1_000), "real" if seed == 0 else "", colours.GREY)
show(figure, alt="Two generators at six moments of their training, and the real points. Their "
     "points wander over the plane, settle on some heaps and leave others, mostly small ones, "
     "empty to the end.")

# %% [markdown] id="gan-read"
# Heaps are found, and some are left again; at the end some rings are all but empty. This is called **mode collapse**, in a mild form. And mind what the generator does well: nine in ten of its points are good ones. The critic sees to that. What it sees to badly is completeness. The generator hears of a heap only through the critic's slope at its *own* points; of one where it has none it may hear nothing.
#
# GANs have been mended in many ways. One of the best known is to punish the critic for steep slopes at real points (the R1 penalty of Mescheder et al. 2018): $\tfrac{\gamma}{2}\lVert\nabla c\rVert^2$ is added to its loss. A gentle critic leaves no cliffs for the generator to be stuck behind. A step takes about a third more multiplications then, so this pair gets three quarters of the steps.

# %% id="train-gentle"
begun = clock.perf_counter()
gentle = train_gan(3 * GAN_STEPS // 4, heaps, penalty=0.1)[0]
gentle_seconds = clock.perf_counter() - begun
with torch.no_grad():
    gentle_points = gentle(torch.randn(4_000 * SEEDS, 2, device=lab.device))
gentle_found, gentle_good = count(gentle_points)
print(f"with the penalty, in ⟨{gentle_seconds:.0f}⟩ seconds: heaps found ⟨{gentle_found}⟩, "
      f"good points ⟨{sum(gentle_good) / SEEDS:.0f} %⟩")

# %% [markdown] id="gentle-read"
# That is worth a lot: all eight, or nearly. The price stands beside it: somewhat more of its points lie between the heaps. So what follows stands beside both pairs, and is held against the plain one.
#
# **Question.** The critic sees real points of the rare heap. Why does that not bring the plain pair's generator there?
#
# <details><summary>Answer</summary>
#
# The generator learns from the critic's slope at the places where its *own* points are. If none of them is near the rare heap, and the critic is flat between, no slope says that there is something to be had far away.
# </details>

# %% [markdown] id="noise-text"
# ## 2 · Drowning a picture
#
# Now the other way to do it. No critic; a thing is destroyed, bit by bit, and a network learns to undo one bit. Destroying goes by adding noise. In the paper there are 1,000 small steps, $t = 1 \dots 1000$:
#
# $$x_t = \sqrt{\alpha_t}\; x_{t-1} + \sqrt{1-\alpha_t}\;\varepsilon_t, \qquad \varepsilon_t \text{ standard normal noise.}$$
#
# $\alpha_t$ is a little less than 1. A bit of the picture goes, a bit of noise comes, and the two are so balanced that what has variance 1 keeps it. Two such steps make one of the same kind, since normal noise on normal noise is normal noise, and the variances add, $\alpha_2(1-\alpha_1) + (1-\alpha_2) = 1 - \alpha_1\alpha_2$: $x_2 = \sqrt{\alpha_1\alpha_2}\,x_0 + \sqrt{1-\alpha_1\alpha_2}\;\varepsilon$. And so on to any $t$, with the *product* of all factors so far, $\bar\alpha_t = \alpha_1 \alpha_2 \cdots \alpha_t$:
#
# $$x_t = \sqrt{\bar\alpha_t}\; x_0 + \sqrt{1-\bar\alpha_t}\;\varepsilon \qquad\text{(the paper's equation 4, } q(x_t \mid x_0)\text{).}$$
#
# So nobody has to walk the chain to get somewhere on it. $\bar\alpha$ says how much is **kept**, as a share of the variance; that is why it is `kept` in the code. Do not take it for $\alpha$, which belongs to a single step. And mind the roots: $\bar\alpha$ and $1-\bar\alpha$ are *variances*, and what a thing is multiplied by is a *deviation*.
#
# How fast should it drown? That is the **schedule**. The paper lets $1-\alpha_t$ grow linearly from 0.0001 to 0.02. We let time run from 0, the picture, to 1, pure noise, whatever the number of steps, and use a quarter turn: $\sqrt{\bar\alpha} = \cos(\tfrac{\pi}{2} t)$ and $\sqrt{1-\bar\alpha} = \sin(\tfrac{\pi}{2} t)$ (the cosine schedule of Nichol and Dhariwal 2021, §3.2, without its offset).

# %% id="schedule"
def alpha_bar(time):
    """How much of the variance is kept at these times from 0 to 1."""
    return (time * (math.pi / 2)).cos().square()


paper = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1_000), dim=0)  # its ᾱ, linear schedule
print("time             ᾱ, the paper's     ᾱ, quarter turn")
for part in (0.1, 0.25, 0.5, 0.75, 0.9):
    at = round(1_000 * part) - 1
    print(f"{part:4.2f}  {paper[at].item():20.4f}{alpha_bar(torch.tensor(part)).item():20.4f}")

# %% [markdown] id="schedule-read"
# With the paper's schedule only 8 % is left half-way, and the second half is spent on what is hardly there any more; Nichol and Dhariwal changed it for that reason.
#
# Write the noising, for a batch of anything: points [batch, 2], pictures [batch, 3, height, width]. Each thing of the batch has an amount of its own, `kept` [batch]. So that it multiplies *things* and not columns, it needs an axis of length one for every other axis: `kept.reshape(-1, *[1] * (clean.ndim - 1))`.

# %% id="add_noise" tags=["exercise"] minutes=8 difficulty=2 teaches="noising in closed form, q(x_t | x_0), with one amount for each thing of a batch"
def add_noise(clean, noise, kept):
    """The things, noised (the paper's equation 4).

    clean, noise: [batch, …], of any number of axes; kept: [batch], the ᾱ of each, from 0 to 1
    returns the same shape as clean
    """
    ### BEGIN SOLUTION
    kept = kept.reshape(-1, *[1] * (clean.ndim - 1))
    return kept.sqrt() * clean + (1 - kept).sqrt() * noise
    ### END SOLUTION

# %% id="check-add_noise" tags=["check"]
add_noise = check("add_noise")

# %% [markdown] id="faces-text"
# For pictures we take faces, at 16 pixels: there are some 500 to train on, in six styles, and a face is easily told from a smudge. Pictures run from −1 to 1 from here on, so that they are as large as the noise. Faces of other concepts, which are never trained on, are kept as a yardstick (lab 07's `test_concepts`).

# %% id="faces"
SIDE = 16
pictures = album.on(lab.device)
is_face = torch.tensor([each.subgroup.startswith("face-") and not each.subgroup.endswith(
    ("cat", "monkey")) for each in emoji.load(SIDE).concepts], device=lab.device)


def faces_for(purpose):
    """All faces kept for that purpose, from −1 to 1: [faces, 3, 16, 16]."""
    places = pictures.purpose[purpose]
    return 2 * pictures.plain(places[is_face[pictures.concept[places]]], SIDE) - 1


faces, held_out = faces_for("train"), faces_for("test_concepts")
kinds = [len(pictures.concept[places][is_face[pictures.concept[places]]].unique())
         for places in (pictures.purpose["train"], pictures.purpose["test_concepts"])]
print(f"{len(faces)} faces of {kinds[0]} concepts to train on, "
      f"{len(held_out)} of {kinds[1]} others")

# %% id="fig-noise" tags=["nbval-ignore-output"]
def draw(panel, picture, title=""):
    """Show one picture, [colours, height, width], from −1 to 1."""
    shown = rearrange(picture.cpu().clamp(-1, 1), "colours high wide -> high wide colours")
    panel.imshow((shown + 1) / 2)
    panel.set_title(title, fontsize=8)
    panel.set(xticks=[], yticks=[])
    panel.spines[:].set_visible(False)


stages = torch.linspace(0, 1, 9, device=lab.device)
noised = add_noise(faces[4].expand(9, -1, -1, -1),
                   torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
                   .to(lab.device).expand(9, -1, -1, -1), alpha_bar(stages))
figure, panels = plt.subplots(1, 9, figsize=(9.6, 1.5))
for panel, picture, part in zip(panels, noised, stages.tolist()):
    kept_here = math.cos(part * math.pi / 2) ** 2
    draw(panel, picture, f"t = {part:.2f}\nᾱ = {kept_here:.2f}")
show(figure, alt="A yellow face in nine states from clean to pure noise. At t = 0.25 it is easy to "
     "see, at 0.38 it can be made out, from 0.62 on it is lost to the eye.")

# %% [markdown] id="target-text"
# ## 3 · What to ask of the network
#
# The network gets $x_t$ and $t$, and says something from which $x_0$ follows. Three things are in use, and if you know one of them (and $x_t$) you know all:
#
# - the **noise** $\varepsilon$ (the paper). Where hardly any noise is in the picture, that is hard and hardly matters. At $t = 1$ the noise is all there is, and to say it is no art; and $x_0 = (x_t - \sqrt{1-\bar\alpha}\,\varepsilon)/\sqrt{\bar\alpha}$ divides by zero.
# - the **clean thing** $x_0$. The reverse: no art at $t = 0$, where it stands before you.
# - the **velocity** $v = \sqrt{\bar\alpha}\;\varepsilon - \sqrt{1-\bar\alpha}\;x_0$ (Salimans and Ho 2022, §4). On the quarter turn, $x_t = \cos\cdot x_0 + \sin\cdot\varepsilon$, it is how $x_t$ changes with the angle, its derivative. It is never trivial: near $t=0$ it asks for the noise, near $t=1$ for the thing (with a minus).
#
# We take $v$. A turn can be turned back: $x_t$ and $v$ are $x_0$ and $\varepsilon$, rotated by an angle. Rotate by the same angle in the other direction.

# %% id="clean_and_noise" tags=["exercise"] minutes=8 difficulty=3 teaches="from the velocity back to the clean thing and the noise"
def clean_and_noise(noisy, velocity, kept):
    """What the thing and the noise must be, if that is the velocity.

    noisy, velocity: [batch, …]; kept: [batch], the ᾱ of each, from 0 to 1 (both ends occur)
    returns clean and noise, both like noisy
    """
    ### BEGIN SOLUTION
    kept = kept.reshape(-1, *[1] * (noisy.ndim - 1))
    clean = kept.sqrt() * noisy - (1 - kept).sqrt() * velocity
    noise = (1 - kept).sqrt() * noisy + kept.sqrt() * velocity
    return clean, noise
    ### STUB
    # kept = kept.reshape(-1, *[1] * (noisy.ndim - 1))
    # clean = ...
    # noise = ...
    # return clean, noise
    ### END SOLUTION

# %% id="check-clean_and_noise" tags=["check"]
clean_and_noise = check("clean_and_noise")

# %% [markdown] id="loss-text"
# The training loss is as plain as can be (the paper's §3.4 and algorithm 1): take a thing, a random time and random noise; noise it; ask the network; mean of squared errors. The paper derives it from a bound on how likely the training pictures are, in which each time has a weight; then it drops the weights, since pictures got better without.
#
# Write it for $v$. `network(noisy, time)` gives a velocity for each thing.

# %% id="velocity_loss" tags=["exercise"] minutes=9 difficulty=3 teaches="the training loss of a diffusion model"
def velocity_loss(network, clean, noise, time):
    """Mean of the squared errors of the network's velocities.

    network: a function of noisy things [batch, …] and times [batch]
    clean, noise: [batch, …]; time: [batch], from 0 to 1; alpha_bar(time) is what is kept then
    returns a scalar
    """
    ### BEGIN SOLUTION
    kept = alpha_bar(time)
    noisy = add_noise(clean, noise, kept)
    kept = kept.reshape(-1, *[1] * (clean.ndim - 1))
    target = kept.sqrt() * noise - (1 - kept).sqrt() * clean
    return (network(noisy, time) - target).square().mean()
    ### STUB
    # kept = alpha_bar(time)
    # noisy = ...
    # kept = kept.reshape(-1, *[1] * (clean.ndim - 1))
    # target = ...
    # return ...
    ### END SOLUTION

# %% id="check-velocity_loss" tags=["check"]
velocity_loss = check("velocity_loss")

# %% [markdown] id="ring-net-text"
# For the heaps, a network with fewer weights than the pair had. It gets a point, and sines and cosines of the time. It is one network instead of two, so its step is cheaper; it takes one and a half times as many, which is no more computing than the pair's. Times are drawn one in each of as many equal parts of 0 … 1, so that a batch sees all of them (after Kingma et al. 2021, appendix I.1).

# %% id="train-ring"
class PointNet(nn.Module):
    """From noisy points and times to velocities, SEEDS networks side by side."""

    def __init__(self):
        super().__init__()
        self.net = Several(10, 88, 88, 88, 2, activation=F.silu)

    def forward(self, x, time):
        angle = time[:, None] * (torch.tensor([1, 2, 4, 8], device=x.device) * (math.pi / 2))
        return self.net(torch.cat([x, angle.sin(), angle.cos()], dim=1))


def spread_times(number, seeds=1):
    """Random times, for each seed one in each of `number` equal parts of 0 … 1."""
    parts = torch.rand(seeds, number, device=lab.device).argsort(dim=1)
    return ((parts + torch.rand(seeds, number, device=lab.device)) / number).flatten()


def learn_points(loss, steps, what, pairs=None, rate=2e-3):
    """Train a PointNet by loss(network, clean, noise, time)."""
    torch.manual_seed(0)
    network = PointNet().to(lab.device)
    optimiser = torch.optim.Adam(network.parameters(), rate, (0.9, 0.99), fused=True)
    for step in track(range(steps), what):
        optimiser.param_groups[0]["lr"] = falling(rate, step, steps)
        points = heaps(BATCH * SEEDS)
        pair = points, torch.randn_like(points)
        if pairs is not None:  # for exercise 3 of section 10
            pair = pairs()
        value = loss(network, *pair, spread_times(BATCH, SEEDS))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    return network.eval()


RING_STEPS = budget(cpu=3_000, gpu=6_000, smoke=10)
begun = clock.perf_counter()
by_velocity = learn_points(velocity_loss, RING_STEPS, "diffusion on points")
ring_seconds = clock.perf_counter() - begun
print(f"{weights_in_one(by_velocity):,} weights, four networks in ⟨{ring_seconds:.0f}⟩ seconds")
pair_work = GAN_STEPS * (3 * weights_in_one(generator) + 8 * weights_in_one(critic))
print(f"multiplications of the training, in parts of the pair's: "
      f"⟨{3 * RING_STEPS * weights_in_one(by_velocity) / pair_work:.2f}⟩")

# %% [markdown] id="ring-net-read"
# (Multiplications are counted like this: forward one for each weight and point, backward two. So the generator costs 3. The critic costs 6, on real points and on made ones, and 2 more when the generator learns from it, where its own weights get no gradient. The diffusion model costs 3.)
#
# ## 4 · The way back
#
# From pure noise to a thing in steps. Say we stand at $x_t$ and want $x_s$, a little less noisy. If $x_0$ were known, so would be the distribution of $x_s$: it is normal, and its mean is a mixture of $x_0$ and $x_t$ (the paper's equations 6 and 7; it is called the *posterior*). With $\alpha = \bar\alpha_t/\bar\alpha_s$ for the step between the two (the product without the earlier factors), and $\beta = 1 - \alpha$,
#
# $$\tilde\mu = \frac{\sqrt{\bar\alpha_s}\,\beta}{1-\bar\alpha_t}\; x_0 + \frac{\sqrt{\alpha}\,(1-\bar\alpha_s)}{1-\bar\alpha_t}\; x_t, \qquad \tilde\beta = \frac{1-\bar\alpha_s}{1-\bar\alpha_t}\,\beta .$$
#
# $\tilde\beta$ is a variance. Look at the last step, to $s = 0$: there $\bar\alpha_s = 1$, so $\tilde\beta = 0$, and $\tilde\mu = x_0$. No noise is added at the last step, or every thing would be left with some. (The paper also tries the larger variance $\beta$. That does not become nothing by itself, and so its algorithm 2 says in line 3 that the last step goes without noise.)
#
# $x_0$ is not known, but the network has a guess. Step by step the guess gets better.

# %% id="posterior" tags=["exercise"] minutes=10 difficulty=3 teaches="the posterior's mean and deviation; no noise at the last step"
def posterior(clean, noisy, kept_now, kept_then):
    """Where a thing was one step earlier, if its clean form is known (equations 6 and 7).

    clean, noisy: any shape; kept_now < kept_then: numbers, ᾱ at noisy's time and at the earlier one
    returns the mean, like clean, and the standard deviation, a number
    """
    ### BEGIN SOLUTION
    alpha = kept_now / kept_then
    from_clean = math.sqrt(kept_then) * (1 - alpha) / (1 - kept_now)
    from_noisy = math.sqrt(alpha) * (1 - kept_then) / (1 - kept_now)
    variance = (1 - alpha) * (1 - kept_then) / (1 - kept_now)
    return from_clean * clean + from_noisy * noisy, math.sqrt(variance)
    ### STUB
    # alpha = ...
    # from_clean = ...
    # from_noisy = ...
    # variance = ...
    # return from_clean * clean + from_noisy * noisy, ...
    ### END SOLUTION

# %% id="check-posterior" tags=["check"]
posterior = check("posterior")

# %% [markdown] id="ddpm-text"
# With it the paper's sampler (DDPM, after its title) is a loop that one reads in a minute. `guess(x, time)` is whatever guesses the clean thing; here, the network. For pictures the guess is kept within their range, −1 to 1.

# %% id="ddpm"
def steps_back(steps):
    """From time 1 to 0 in equal steps: the time, ᾱ there, and ᾱ at the step's end."""
    times = torch.linspace(1, 0, steps + 1)
    return list(zip(times.tolist(), alpha_bar(times).tolist(), alpha_bar(times[1:]).tolist()))


def by_network(network, limit=None):
    """A function that guesses clean things, from a network that says velocities."""
    def guess(x, time):
        clean, _ = clean_and_noise(x, network(x, time), alpha_bar(time))
        return clean if limit is None else clean.clamp(-limit, limit)
    return guess


@torch.no_grad()
def sample_ddpm(guess, noise, steps, seed=0, larger=False):
    """Algorithm 2 of the paper; `larger`: with its larger variance β."""
    chance, x = lab.generator(seed), noise
    for now, kept_now, kept_then in steps_back(steps):
        clean = guess(x, torch.full((len(x),), now, device=x.device))
        mean, deviation = posterior(clean, x, kept_now, kept_then)
        if larger and kept_then < 1:
            deviation = math.sqrt(1 - kept_now / kept_then)
        fresh = torch.randn(x.shape, generator=chance, device=x.device)
        x = mean + deviation * fresh
    return x


start = torch.randn(4_000 * SEEDS, 2, generator=torch.Generator().manual_seed(5)).to(lab.device)
ddpm_points = sample_ddpm(by_network(by_velocity), start, 100)
ddpm_found, ddpm_good = count(ddpm_points)
untrained = PointNet().to(lab.device)
print("              heaps found   good points")
for who, found, good in (("plain pair", gan_found, gan_good),
                         ("gentle pair", gentle_found, gentle_good),
                         ("diffusion", ddpm_found, ddpm_good)):
    print(f"{who:12}{f'⟨{found}⟩':>15}{f'⟨{sum(good) / SEEDS:.0f} %⟩':>14}")
empty_handed = count(sample_ddpm(by_network(untrained), start, 20))[0]
claim("diffusion: heaps found, mean of four beginnings", sum(ddpm_found) / SEEDS, at_least=7,
      control={"plain generator and critic": sum(gan_found) / SEEDS,
               "an untrained network": sum(empty_handed) / SEEDS},
      paper="Dhariwal and Nichol 2021, §1")

# %% id="fig-found" tags=["nbval-ignore-output"]
def shares_of(points):
    """Percent of the points in each heap, of each seed: [SEEDS, HEAPS]."""
    distance, heap = torch.cdist(points, centres).min(dim=1)
    inside = F.one_hot(heap, HEAPS) * (distance < 4 * WIDTH)[:, None]
    return 100 * rearrange(inside, "(s n) heaps -> s n heaps", s=SEEDS).float().mean(dim=1).cpu()


figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.4), width_ratios=[2, 1])
order = shares.argsort(descending=True).cpu()
for points, label, colour, shift in ((gan_points, "plain pair", colours.VERMILION, -0.2),
                                     (gentle_points, "gentle pair", colours.ORANGE, 0),
                                     (ddpm_points, "diffusion", colours.BLUE, 0.2)):
    for seed, in_heaps in enumerate(shares_of(points)):
        left.plot(torch.arange(HEAPS) + shift, in_heaps[order], "o", color=colour, markersize=5,
                  alpha=0.7, label=label if seed == 0 else None)
left.plot(range(HEAPS), 100 * shares.cpu()[order], "_", color=colours.INK, markersize=22,
          label="real")
left.set(xlabel="heap, the largest first", ylabel="share of the points, %", xticks=range(HEAPS),
         xticklabels=range(1, HEAPS + 1), title="Who finds which heap")
left.legend()
means = [sum(each) / SEEDS for each in (gan_found, gentle_found, ddpm_found)]
right.bar(["plain\npair", "gentle\npair", "diffusion"], means, width=0.6,
          color=[colours.VERMILION, colours.ORANGE, colours.BLUE])
if guess_heaps.value is not None:
    right.plot(0, guess_heaps.value, marker="*", markersize=14, color=colours.PINK, linestyle="",
               label="your guess")
    right.legend()
right.set(ylabel="heaps found, mean of four", ylim=(0, 8.4), title="Of eight")
show(figure, alt="Left, the share of points in each of eight heaps, four beginnings each. "
     "Diffusion's points lie close to the real shares. The pairs' scatter more, and the plain "
     "one has next to none in some of the small heaps. Right, the mean number of heaps found: "
     "diffusion and the gentle pair close to eight, the plain pair about six.")

# %% [markdown] id="found-read"
# The diffusion model finds them all (now and then a beginning misses the rarest), with about their shares, but the two rarest with little more than half of their own (the gentle pair does as well there). Why does it find them? Its loss asks it about noised points of *all* heaps, as often as they occur; to ignore a heap costs it, every time. A generator is asked about its own points only. What the GAN has in its favour: it needs one pass of the network where the diffusion model took a hundred.
#
# And be fair. If all heaps are equally large, the plain pair finds nearly all of them (exercise 1); that some are rare is what it stumbles over. The gentle pair does not stumble, but blurs a little: of its points somewhat fewer are good. So “GANs lose modes” holds for the plain pair here, and “a GAN has to be nursed to find them all” for the rest. The diffusion model came out of a plain squared error, with no opponent to balance.
#
# **Skipping.** A hundred passes are many, and the paper took a thousand. Song et al. (2021, “denoising diffusion implicit models”, DDIM) saw that the network was only ever trained to say what is in $x_t$; nothing in that depends on how one got there, as long as at every time the noised things lie as they did in training. So one may go back on another way, one without any fresh noise. Take the guess of $x_0$, take the noise that must then be in $x_t$, namely $\varepsilon = (x_t - \sqrt{\bar\alpha_t}\,x_0)/\sqrt{1-\bar\alpha_t}$, and put both together again for the earlier time, as in section 2 (only that the two amounts are numbers here, one for the whole batch):
#
# $$x_s = \sqrt{\bar\alpha_s}\;x_0 + \sqrt{1-\bar\alpha_s}\;\varepsilon \qquad\text{(their equation 12, with } \sigma = 0 \text{; their } \alpha \text{ is our } \bar\alpha\text{).}$$

# %% id="ddim_step" tags=["exercise"] minutes=8 difficulty=2 teaches="DDIM's step: the same noise at another time"
def ddim_step(clean, noisy, kept_now, kept_then):
    """The thing at an earlier time, without further chance.

    clean: the guess of the clean thing; noisy: the thing now; any shape
    kept_now < kept_then: numbers, ᾱ at noisy's time and at the earlier one
    returns the same shape
    """
    ### BEGIN SOLUTION
    noise = (noisy - math.sqrt(kept_now) * clean) / math.sqrt(1 - kept_now)
    return math.sqrt(kept_then) * clean + math.sqrt(1 - kept_then) * noise
    ### STUB
    # noise = ...
    # return ...
    ### END SOLUTION

# %% id="check-ddim_step" tags=["check"]
ddim_step = check("ddim_step")

# %% id="ddim"
@torch.no_grad()
def sample_ddim(guess, noise, steps):
    """From noise to things; the same noise gives the same things."""
    x = noise
    for now, kept_now, kept_then in steps_back(steps):
        clean = guess(x, torch.full((len(x),), now, device=x.device))
        x = ddim_step(clean, x, kept_now, kept_then)
    return x


both = {"DDPM": lambda steps, seed: sample_ddpm(by_network(by_velocity), start, steps, seed),
        "DDIM": lambda steps, seed: sample_ddim(by_network(by_velocity), start, steps)}
for name, sampler in both.items():
    once, again = sampler(50, 0), sampler(50, 1)
    same = (once - again).norm(dim=1) < 0.01
    print(f"{name}: the same start ends in the same place: ⟨{100 * same.float().mean():.0f} %⟩")

# %% id="fig-paths" tags=["nbval-ignore-output"]
@torch.no_grad()
def paths(stochastic, few, steps=60):
    """Where a few points go: [steps + 1, points, 2]."""
    x, chance = start, lab.generator(0)
    track_of = [x[:few]]
    guess = by_network(by_velocity)
    for now, kept_now, kept_then in steps_back(steps):
        clean = guess(x, torch.full((len(x),), now, device=x.device))
        if stochastic:
            mean, deviation = posterior(clean, x, kept_now, kept_then)
            x = mean + deviation * torch.randn(x.shape, generator=chance, device=x.device)
        else:
            x = ddim_step(clean, x, kept_now, kept_then)
        track_of.append(x[:few])
    return torch.stack(track_of).cpu()


figure, panels = plt.subplots(1, 2, figsize=(8.0, 4.0))
for panel, stochastic, title in zip(panels, (True, False), ("DDPM: fresh noise at every step",
                                                            "DDIM: none")):
    lines = paths(stochastic, 8)
    plane(panel, lines[-1], title)
    for each in range(lines.shape[1]):
        panel.plot(*lines[:, each].T, color=colours.SKY, linewidth=0.8, alpha=0.8)
    panel.scatter(*lines[0].T, s=10, color=colours.ORANGE)
    panel.scatter(*lines[-1].T, s=14, color=colours.BLUE)
    panel.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6))
show(figure, alt="Paths of 8 points from the same starts. With DDPM they are ragged; with DDIM "
     "they are smooth curves.")

# %% [markdown] id="flow-text"
# ## 5 · The straight way
#
# DDIM's paths are curves, and a curve wants many steps. Why not make the way straight from the beginning? **Flow matching** (Lipman et al. 2023; Liu et al. 2023, as “rectified flow”) noises along a line,
#
# $$x_t = (1-t)\,x_0 + t\,\varepsilon,$$
#
# and asks the network for the line's direction, $\varepsilon - x_0$. (Their time runs the other way, from noise to thing. We keep ours.) Everything else stays: the same network, a random time, squared errors. And going back is Euler's method for a differential equation, the simplest there is: begin at $t=1$ with noise, ask for the direction, go *against* it by one step of $1/n$, $n$ times.

# %% id="euler" tags=["exercise"] minutes=8 difficulty=3 teaches="Euler steps against the learned direction"
def euler(network, noise, steps):
    """From noise at time 1 to things at time 0, in equal steps.

    network: a function of things [batch, …] and times [batch] that says the direction ε − x₀
    noise: [batch, …]; a tensor that you make is to live on its device
    returns the same shape. The network is asked at 1, 1 − 1/steps, …, 1/steps
    """
    ### BEGIN SOLUTION
    x = noise
    for step in range(steps):
        time = torch.full((len(x),), 1 - step / steps, device=x.device)
        x = x - network(x, time) / steps
    return x
    ### STUB
    # x = noise
    # for step in range(steps):
    #     time = torch.full((len(x),), ..., device=x.device)
    #     x = ...
    # return x
    ### END SOLUTION

# %% id="check-euler" tags=["check"]
euler = check("euler")

# %% id="guess-steps" tags=["nbval-ignore-output"]
guess_steps = predict("Straight ways need fewer steps? In how many steps does flow matching reach "
                      "80 % good points?", low=1, high=50, step=1)

# %% id="train-flow"
def flow_loss(network, clean, noise, time):
    noisy = (1 - time[:, None]) * clean + time[:, None] * noise
    return (network(noisy, time) - (noise - clean)).square().mean()


by_flow = learn_points(flow_loss, RING_STEPS, "flow matching on points")

# %% id="few-steps"
@torch.no_grad()
def straight(network, noise, steps):
    return euler(network, noise, steps)


STEPS = (1, 2, 3, 5, 8, 12, 20, 50, 100)
ways = {"DDPM, larger β": lambda steps: sample_ddpm(by_network(by_velocity), start, steps,
                                                    larger=True),
        "DDPM": lambda steps: sample_ddpm(by_network(by_velocity), start, steps),
        "DDIM": lambda steps: sample_ddim(by_network(by_velocity), start, steps),
        "flow, Euler": lambda steps: straight(by_flow, start, steps)}
good_at = {way: {} for way in ways}
print("steps          " + "".join(f"{steps:>8}" for steps in STEPS) + "    heaps at 100")
for way, run in ways.items():
    for steps in STEPS:
        found, good = count(run(steps))
        good_at[way][steps] = sum(good) / SEEDS
    print(f"{way:15}" + "".join(f"{f'⟨{good_at[way][steps]:.0f} %⟩':>8}" for steps in STEPS)
          + f"    ⟨{found}⟩")
claim("good points in 12 steps: DDIM, points above DDPM with the larger variance",
      good_at["DDIM"][12] - good_at["DDPM, larger β"][12], above=4, unit="points",
      control={"above DDPM with the posterior's": good_at["DDIM"][12] - good_at["DDPM"][12]},
      paper="Song et al. 2021, table 1")
claim("good points in 8 steps: flow matching less DDIM", good_at["flow, Euler"][8]
      - good_at["DDIM"][8], between=(-10, 10), unit="points",
      control={"in 3 steps instead of 8": good_at["flow, Euler"][3] - good_at["DDIM"][8]})

# %% id="fig-steps" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(6.8, 3.5))
for way, marker in zip(ways, "Dso^"):
    axes.plot(STEPS, list(good_at[way].values()), marker=marker, label=way)
axes.set(xscale="log", xticks=STEPS, xticklabels=STEPS, xlabel="steps", ylabel="good points, %",
         title="How many steps does it take?")
axes.minorticks_off()
if guess_steps.value is not None:
    style.draw_guess(axes, guess_steps, axis="x")
axes.legend()
show(figure, alt="The share of good points against the number of steps on a logarithmic axis. DDPM "
     "with the posterior's variance, DDIM and flow matching rise together to over 80 percent at "
     "eight steps. From five steps on DDPM with the larger variance stays below them, until it all "
     "but meets them at a hundred.")

# %% [markdown] id="flow-read"
# A dozen steps do for most of it, in three of four ways. Only DDPM with the larger variance $\beta$ wants many: in a long step it adds more noise than the rest of the way can take off. (At two and three steps, where no way gets far, it is even ahead of DDPM and DDIM.) That is the comparison that stands out in Song et al. (table 1). With the posterior's variance fresh noise costs next to nothing here, and brings a point or two at a hundred steps; on pictures it costs (the same table). What DDIM has for certain is that a start has *one* end, so that one may go from a thing back to its noise; lab 08b does.
#
# And between DDIM and flow matching there is hardly anything to choose: a few points at three and five steps; both pass 80 % between five and eight. The *training* lines are straight, each from its own noise to its own point. They cross, though; where they do, the network can only learn the mean direction; and what the sampler follows is the mean, and bends. (And DDIM is an Euler method, too, along a quarter turn instead of a line.) To make the sampler's ways straight Liu et al. train a second time, on the pairs of start and end that the first network made: exercise 3.
#
# **Question.** At one step all four make points that are good for nothing. Where do they lie?
#
# <details><summary>Answer</summary>
#
# All near one place, the mean of the whole world. At $t=1$ the input is noise and says nothing of the thing, and the best guess by squared error is the mean: here, somewhere near the middle, drawn to the large heaps.
# </details>

# %% [markdown] id="optimal-text"
# ## 6 · The best denoiser there is
#
# How good can a denoiser be? If things come from a finite set of pictures, all equally likely, that can be computed. Given $x_t$, how likely is it that picture $i$ is underneath? The noise would have to be what is left, and normal noise has density $e^{-\lVert\cdot\rVert^2/2\sigma^2}$, up to a factor, here with the variance $\sigma^2 = 1-\bar\alpha$. So the chances are a softmax over the training set,
#
# $$w_i = \operatorname{softmax}_i\left(-\frac{\lVert x_t - \sqrt{\bar\alpha}\,x^{(i)}\rVert^2}{2\,(1-\bar\alpha)}\right), \qquad \hat x_0 = \sum_i w_i\, x^{(i)},$$
#
# and the weighted mean is the guess with the least squared error possible. It is attention once more: the noisy picture asks, the training set answers.

# %% id="best_guess" tags=["exercise"] minutes=10 difficulty=3 teaches="the exact optimal denoiser of a finite set"
def best_guess(noisy, known, kept):
    """The mean of the known things, each weighted by its chance to lie under the noise.

    noisy: [batch, dim]; known: [things, dim], all equally likely; kept: a number, ᾱ, 0 ≤ ᾱ < 1
    returns [batch, dim]
    """
    ### BEGIN SOLUTION
    distance = torch.cdist(noisy, math.sqrt(kept) * known)
    chances = (-distance.square() / (2 * (1 - kept))).softmax(dim=1)
    return chances @ known
    ### STUB
    # distance = torch.cdist(noisy, ...)
    # chances = (...).softmax(dim=...)
    # return ...
    ### END SOLUTION

# %% id="check-best_guess" tags=["check"]
best_guess = check("best_guess")

# %% [markdown] id="optimal-use"
# No training, no network, the best possible loss. Put it in the network's place and let it draw faces out of noise.

# %% id="optimal"
flat_faces = rearrange(faces, "n c h w -> n (c h w)")


def by_heart(x, time):
    """The exact guess, in the place of a network's."""
    kept = float(alpha_bar(time[:1]))
    clean = best_guess(rearrange(x, "n c h w -> n (c h w)"), flat_faces, kept)
    return rearrange(clean, "n (c h w) -> n c h w", c=3, h=SIDE)


def nearest(some, known):
    """Distance of each to the nearest known picture (root mean square), and which that is."""
    distance = torch.cdist(some.flatten(1), known.flatten(1)) / some[0].numel() ** 0.5
    return distance.min(dim=1)


picture_noise = torch.randn(128, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
picture_noise = picture_noise.to(lab.device)
recited = sample_ddpm(by_heart, picture_noise, 50)
apart, which_face = nearest(recited, faces)
print(f"⟨{len(which_face.unique())}⟩ different training pictures among {len(recited)} samples")
claim("the exact denoiser: largest distance of a sample to the nearest training picture",
      apart.max(), below=0.01,
      control={"the nearest of the held-out faces": nearest(held_out, faces)[0].min()})

# %% id="fig-optimal" tags=["nbval-ignore-output"]
figure, panels = plt.subplots(2, 10, figsize=(9.2, 2.1))
for column in range(10):
    draw(panels[0, column], recited[column])
    draw(panels[1, column], faces[which_face[column]])
panels[0, 0].set_ylabel("drawn", fontsize=8)
panels[1, 0].set_ylabel("nearest", fontsize=8)
show(figure, alt="Above ten faces that the exact denoiser drew, below the nearest training picture "
     "of each. Every pair is the same picture.")

# %% [markdown] id="optimal-read"
# Every sample is a training picture, to the last pixel. Near the end the softmax is so sharp that one picture has all the weight. So *the perfect solution of the training task recites*. Whatever a diffusion model draws that is new, it draws because its network is **not** perfect: it has too few weights, too few steps, and convolutions that see small patches, treat all places alike and cannot but mix what they see. Everything that makes these models worth having happens in this gap (Kamb and Ganguli 2024 work it out for nets of convolutions only; ours also attends).
#
# **Question.** At $t = 1$, what does the exact denoiser guess?
#
# <details><summary>Answer</summary>
#
# The mean of all training pictures, whatever the noise: with $\bar\alpha = 0$ all distances are alike. A yellow disc with a shadow of eyes and a mouth.
# </details>

# %% [markdown] id="unet-text"
# ## 7 · Faces out of noise
#
# Now a network. It is a **U-Net** (Ronneberger et al. 2015): convolutions at 16, 8 and 4 pixels, down and up again, with a short cut on every level so that details need not pass through the narrow middle. At 4 pixels every place attends to every other. The time scales and shifts the channels of every block. The library's `UNet` does that; it is the one that the shipped decoder of lab 08b has, about half as wide and with half the blocks.
#
# Nothing is asked for, no name and no style: the network is only to draw faces. It gets 700 steps.

# %% id="unet"
class FaceNet(nn.Module):
    """From noisy pictures and times to velocities."""

    def __init__(self, width=96):
        super().__init__()
        self.time = TimeEmbedding(width)
        self.unet = UNet(3, 3, (24, 48, 64), width, blocks=1, heads=(0, 0, 2))

    def forward(self, x, time):
        return self.unet(x, F.silu(self.time(time)))


def learn_faces(known, steps, what, rate=2e-3, batch=64):
    """Train a FaceNet on these pictures."""
    torch.manual_seed(0)
    network, schedule = FaceNet().to(lab.device), train.cosine(warmup=30, floor=0.02)
    optimiser = torch.optim.Adam(network.parameters(), betas=(0.9, 0.99), fused=True)
    for step in track(range(steps), what):
        optimiser.param_groups[0]["lr"] = rate * schedule(step, steps)
        clean = known[torch.randint(len(known), (batch,), device=lab.device)]
        velocity_loss(network, clean, torch.randn_like(clean), spread_times(batch)).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
    return network.eval()


FACE_STEPS = budget(cpu=700, gpu=1_400, smoke=3)
of_all = learn_faces(faces, FACE_STEPS, f"U-Net on {len(faces)} faces")
print(f"{sum(weight.numel() for weight in of_all.parameters()):,} weights, {FACE_STEPS} steps")

# %% id="draw-faces"
drawn = sample_ddpm(by_network(of_all, limit=1), picture_noise, 50)
eye = clip.pretrained()[0].to(lab.device).eval()
with torch.no_grad():
    names = eye.embed_captions(pictures.names)


@torch.no_grad()
def look(some):
    """CLIP's vectors of pictures from −1 to 1."""
    return eye.embed_pictures(F.interpolate((some.clamp(-1, 1) + 1) / 2, scale_factor=2.0))


def taken_for_faces(some):
    """Percent whose nearest of all 1,640 names is a face's."""
    return 100 * float(is_face[(look(some) @ names.T).argmax(dim=1)].float().mean())


print("real faces that CLIP calls by a face's name: of the training "
      f"⟨{taken_for_faces(faces):.0f} %⟩, held out ⟨{taken_for_faces(held_out):.0f} %⟩")
place = torch.linspace(-1, 1, SIDE, device=lab.device).square()
disc = torch.where(place[:, None] + place < 0.9, faces[:1, :, SIDE // 2, SIDE // 2, None, None], 1)
claim("drawn faces that CLIP calls by a face's name, of 1,640", taken_for_faces(drawn),
      at_least=50, unit="%", control={"a plain yellow disc": taken_for_faces(disc)})

# %% id="fig-drawn" tags=["nbval-ignore-output"]
def sheet(panel, some, title):
    """64 pictures, uncurated: the first of the seed."""
    draw(panel, rearrange(some[:64], "(r s) c h w -> c (r h) (s w)", r=8), title)


figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 4.7))
sheet(left, drawn, "drawn: the first 64 of seed 0, none left out")
sheet(right, faces[torch.randperm(len(faces), generator=torch.Generator().manual_seed(0))
                   .to(lab.device)], "real, 64 of the training pictures")
show(figure, alt="Left 64 drawn faces, mostly yellow discs with eyes and mouths, some of them "
     "smudged or noisy. Right 64 real faces, sharper and more varied.")

# %% [markdown] id="memory-text"
# ## 8 · Does it recite?
#
# Faces, most of them; some are a smudge. And mind which: on the right some are of another colour, green or red or grey, a ghost or a robot. Among the drawings these are smudges or do not come: the rare heap again.
#
# Are they *its* faces? We know what reciting looks like. Ask of each drawing how near the nearest training picture is, and compare with real faces of other concepts, of which none was trained on: these are as near as real faces happen to be. A drawing that is nearer than 95 in 100 of them are is **suspicious**. By chance that would be 5 % of the drawings.
#
# As a control we make a network that has to recite: the same net, as many steps, on 40 of the faces.

# %% id="guess-recite" tags=["nbval-ignore-output"]
guess_recite = predict("Of the drawings of a net trained on 40 faces, how many percent are "
                       "suspicious?", low=0, high=100, unit="%")

# %% id="train-few"
few_faces = faces[torch.randperm(len(faces), generator=torch.Generator().manual_seed(0))[:40]
                  .to(lab.device)]
of_few = learn_faces(few_faces, FACE_STEPS, f"U-Net on {len(few_faces)} faces")

# %% id="memory"
drawn_few = sample_ddpm(by_network(of_few, limit=1), picture_noise, 50)


def by_pixels(some, known):
    return nearest(some, known)[0]


def by_clip(some, known):
    return (1 - look(some) @ look(known).T).min(dim=1).values


suspicious, distances = {}, {}
for measure in (by_pixels, by_clip):
    for some, known in ((drawn, faces), (drawn_few, few_faces)):
        of_drawn, of_real = measure(some, known), measure(held_out, known)
        nearer = of_drawn < of_real.quantile(0.05)
        distances[measure, len(known)] = of_drawn, of_real
        suspicious[measure, len(known)] = 100 * float(nearer.float().mean())
        print(f"{measure.__name__:10} trained on {len(known):3}: median distance, drawn "
              f"⟨{of_drawn.median():.3f}⟩, real ⟨{of_real.median():.3f}⟩; suspicious "
              f"⟨{suspicious[measure, len(known)]:.0f} %⟩")
stricter = distances[by_pixels, len(faces)][1].quantile(0.05)
under_it = 100 * float((distances[by_pixels, len(few_faces)][0] < stricter).float().mean())
print(f"trained on {len(few_faces)}, by the stricter line of the {len(faces)}: ⟨{under_it:.0f} %⟩")
claim("trained on 40 faces: suspicious by pixels", suspicious[by_pixels, len(few_faces)], above=30,
      unit="%", control={f"trained on {len(faces)}": suspicious[by_pixels, len(faces)]},
      paper="Somepalli et al. 2023")
median_ratio = {trained_on: float(distances[by_clip, trained_on][0].median()
                                  / distances[by_clip, trained_on][1].median())
                for trained_on in (len(few_faces), len(faces))}
claim("trained on 40 faces: median distance by CLIP, drawn over real", median_ratio[len(few_faces)],
      below=0.8, control={f"trained on {len(faces)}": median_ratio[len(faces)]})
variety = {known: len(nearest(some, faces)[1].unique())
           for known, some in ((len(faces), drawn), (len(few_faces), drawn_few))}
claim(f"different training faces that are the nearest to one of {len(drawn)} drawings",
      variety[len(faces)], at_least=60,
      control={f"trained on {len(few_faces)}": variety[len(few_faces)]})

# %% id="fig-memory" tags=["nbval-ignore-output"]
figure, panels = plt.subplots(2, 2, figsize=(9.0, 4.6))
for line, trained_on in zip(panels, (len(faces), len(few_faces))):
    for panel, measure, what in zip(line, (by_pixels, by_clip), (
            "distance of pixels, root mean square", "1 − cosine of CLIP's vectors")):
        of_drawn, of_real = (each.cpu() for each in distances[measure, trained_on])
        bins = torch.linspace(0, float(torch.cat([of_drawn, of_real]).max()), 30).tolist()
        panel.hist(of_real, bins, density=True, color=colours.GREY, alpha=0.6, label="real")
        panel.hist(of_drawn, bins, density=True, color=colours.BLUE, alpha=0.6, label="drawn")
        panel.axvline(float(of_real.quantile(0.05)), color=colours.INK, linestyle=":",
                      label="left of it: suspicious")
        panel.set(xlabel=what if trained_on == len(few_faces) else "", yticks=[])
        share_line = f"suspicious: {suspicious[measure, trained_on]:.0f} %"
        if guess_recite.value is not None and (measure, trained_on) == (by_pixels, len(few_faces)):
            share_line += f" (your guess: {guess_recite.value:.0f} %)"
        panel.set_title(f"trained on {trained_on}, {share_line}", fontsize=9)
panels[0, 0].legend()
show(figure, alt="Distances to the nearest training picture of drawn and of real faces, by pixels "
     "and by CLIP. Trained on 515 no drawn face is left of the dotted line, by either. Trained on "
     "40 nearly all are by pixels, by CLIP one in eight; most lie nearer than real ones.")

# %% id="fig-few" tags=["nbval-ignore-output"]
figure, panels = plt.subplots(4, 10, figsize=(9.2, 4.0))
for rows, some, known, label in ((panels[:2], drawn, faces, len(faces)),
                                 (panels[2:], drawn_few, few_faces, len(few_faces))):
    nearest_one = nearest(some, known)[1]
    for column in range(10):
        draw(rows[0, column], some[column])
        draw(rows[1, column], known[nearest_one[column]])
    rows[0, 0].set_ylabel(f"of {label}", fontsize=8)
    rows[1, 0].set_ylabel("nearest", fontsize=8)
show(figure, alt="Ten drawings of each network, and under each its nearest training picture. Those "
     "of 515 differ from it in eyes or mouth; of those of 40 about six in ten are the same face.")

# %% [markdown] id="memory-read"
# Trained on 515 faces, it is not seen to recite: none of its drawings is suspicious by either measure. Nor does it draw one face over and over: the training faces nearest to its 128 drawings are two thirds as many. (By pixels their median is even a little below that of real faces, by CLIP above it. And the line is no softer for them: by the stricter one of the 515 a third of the other net's drawings would be suspicious still.) Trained on 40, it does, though not one comes out as clean as from the exact denoiser. By CLIP's vectors the same is seen more faintly, probably since CLIP looks at the blemishes of a drawing, too.
#
# Net and steps are the same. What changed is the number of pictures, and with it how often each was seen: over a thousand times, or under a hundred. A net of half a million weights has room enough for 40 faces of 768 numbers; 515 it can fit, in so few steps, only by what they have in common. With longer training it would come nearer to the exact denoiser with these as well. It is the same with large models: most of what they draw is new, and pictures that stood in the training set many times over can be got out again (Somepalli et al. 2023; Carlini et al. 2023).
#
# **Question.** Would a lower loss *on the training pictures* have told which of the two recites?
#
# <details><summary>Answer</summary>
#
# Not by itself: a lower loss may mean a better network. The loss on training pictures against that on held-out ones would tell: the exact denoiser has the lowest loss possible on the first, and a very bad one on the second, where it insists on faces that it knows.
# </details>

# %% [markdown] id="claims"
# ## 9 · What was claimed, and what you measured
#
# | claim | the paper says | here |
# |---|---|---|
# | GANs cover less of the data's variety | GANs capture less of the diversity than models of likelihoods do (Dhariwal and Nichol 2021, §1) | the plain pair about six of eight heaps, diffusion eight, with less computing and fewer weights than the plain pair; a pair with a penalty finds nearly all, with somewhat fewer good points: section 4 |
# | few steps do, without fresh noise | 10 to 50 times as fast as DDPM (Song et al. 2021, abstract) | twelve of a hundred, but for a few points. Against DDPM with its larger variance that is better; with the posterior's deviation fresh noise costs next to nothing **here**: section 5 |
# | straight training paths sample in fewer steps | fewer evaluations for the same error (Lipman et al. 2023, §6.2) | **hardly**: a few points at three and five steps: section 5 |
# | the exact denoiser only recites | it is why networks must be imperfect (Kamb and Ganguli 2024) | every sample is a training picture: section 6 |
# | a diffusion model draws what it was not shown | sharp and varied pictures (the paper, §4) | faces, most of them so called by CLIP, none suspiciously near to a training picture; less sharp and less varied than the real ones: sections 7 and 8 |
# | on little data it recites | what is copied depends on the size of the training set (Somepalli et al. 2023, abstract) | on 40 faces nearly always by pixels, on 515 never; by CLIP more faintly: section 8 |
#
# **What does not carry over.** Heaps in a plane show which kinds are missing; they do not show how sharp a picture gets, and that is what GANs were liked for. Our GANs are small and of few parts; those that drew the best faces of their time (Karras et al. 2019) had many more. In two dimensions a network is nearly right at every step, so samplers differ less than on pictures. And our faces are 16 pixels wide, of a kind where a yellow disc is half the work. The shipped decoder of lab 08b draws all of the emoji, and took many times as long.
#
# **Three questions to ask of any paper**
#
# - *What is actually new?* In the paper: that the network says the noise, the plain loss without the bound's weights, and a U-Net that made it work. For the first time such a model drew pictures as good as those of most GANs.
# - *What is not?* The chain, its closed form and its bound are those of Sohl-Dickstein et al. (2015), and the score that Song and Ermon (2019) learned (the direction in which noised things become likelier) is the same thing in other words.
# - *When does it fail?* It is slow: a thousand passes for one picture. Its likelihoods are worse than others' (the paper, §4.3). And on little data it recites, of which the paper says nothing but for some nearest neighbours in its appendix.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## 10 · Going further
#
# **1. Fair heaps.** Let all heaps be equally large. How many does the generator find now?
#
# <details><summary>Solution</summary>
#
# ```python
# def fair_heaps(number):
#     which = torch.randint(HEAPS, (number,), device=lab.device)
#     return centres[which] + WIDTH * torch.randn(number, 2, device=lab.device)
#
#
# fair_generator = train_gan(GAN_STEPS, fair_heaps)[0]
# with torch.no_grad():
#     fair_points = fair_generator(torch.randn(4_000 * SEEDS, 2, device=lab.device))
# fair_found = count(fair_points, torch.full_like(shares, 1 / HEAPS))[0]
# print(f"heaps found, all equally large: ⟨{fair_found}⟩; of unequal size: ⟨{gan_found}⟩")
# claim("heaps found where all are equal, mean of four", sum(fair_found) / SEEDS, at_least=7,
#       control={"where they are not": sum(gan_found) / SEEDS})
# ```
#
# Seven or eight in each of the four beginnings. So rareness was the trouble, not the number of heaps.
# </details>
#
# **2. Ask for the noise.** Train for $\varepsilon$, as the paper does, on our schedule. Near $t = 1$ the clean thing follows by a division by next to nothing; keep $\bar\alpha \ge 0.001$ there. Is it worse than $v$?
#
# <details><summary>Solution</summary>
#
# ```python
# def noise_loss(network, clean, noise, time):
#     return (network(add_noise(clean, noise, alpha_bar(time)), time) - noise).square().mean()
#
#
# by_noise = learn_points(noise_loss, RING_STEPS, "asked for the noise")
#
#
# def guess_by_noise(x, time):
#     kept = alpha_bar(time).clamp(min=0.001)[:, None]
#     return (x - (1 - kept).sqrt() * by_noise(x, time)) / kept.sqrt()
#
#
# noise_good = {steps: sum(count(sample_ddim(guess_by_noise, start, steps))[1]) / SEEDS
#               for steps in STEPS}
# print({steps: f"⟨{percent:.0f} %⟩" for steps, percent in noise_good.items()})
# claim("good points in 100 steps: asked for the noise less asked for the velocity",
#       noise_good[100] - good_at["DDIM"][100], between=(-6, 6), unit="points",
#       control={"in 3 steps instead of 100": noise_good[3] - good_at["DDIM"][100]})
# ```
#
# No: with few steps and with many the two are alike, once the division is kept in bounds. (Asked for the clean thing it is plainly worse here. Try it.)
# </details>
#
# **3. Straightened.** Liu et al. (2023) train a second flow on pairs that the first one made: a start, and where it ended. These lines do not cross as random pairs do. How many steps does it take then?
#
# <details><summary>Solution</summary>
#
# ```python
# POOL = 20_000  # pairs for each of the four networks
# torch.manual_seed(1)
# begins = torch.randn(POOL * SEEDS, 2, device=lab.device)
# ends = straight(by_flow, begins, 50)
# begins, ends = (rearrange(each, "(s n) d -> s n d", s=SEEDS) for each in (begins, ends))
#
#
# def made_pairs():
#     pick = torch.randint(POOL, (BATCH,), device=lab.device)
#     return tuple(rearrange(each[:, pick], "s n d -> (s n) d") for each in (ends, begins))
#
#
# straightened = learn_points(flow_loss, RING_STEPS, "a second flow", made_pairs)
# again_good = {steps: sum(count(straight(straightened, start, steps))[1]) / SEEDS for steps in STEPS}
# print({steps: f"⟨{percent:.0f} %⟩" for steps, percent in again_good.items()})
# claim("good points in 2 steps, straightened", again_good[2], above=60, unit="%",
#       control={"the first flow": good_at["flow, Euler"][2]})
# ```
#
# One step now makes about three good points in four, where the first flow made none; what is left are the errors of the first flow, which the second learned with the rest. Distilling many steps into few has become a field of its own.
# </details>
#
# **Reading.** Ho, Jain and Abbeel (2020), “Denoising Diffusion Probabilistic Models”. Sohl-Dickstein et al. (2015), “Deep Unsupervised Learning using Nonequilibrium Thermodynamics”. Song and Ermon (2019), “Generative Modeling by Estimating Gradients of the Data Distribution”. Song, Meng and Ermon (2021), “Denoising Diffusion Implicit Models”. Nichol and Dhariwal (2021), “Improved Denoising Diffusion Probabilistic Models”. Dhariwal and Nichol (2021), “Diffusion Models Beat GANs on Image Synthesis”. Salimans and Ho (2022), “Progressive Distillation for Fast Sampling of Diffusion Models”. Lipman et al. (2023), “Flow Matching for Generative Modeling”. Liu, Gong and Liu (2023), “Flow Straight and Fast”. Goodfellow et al. (2014), “Generative Adversarial Nets”. Karras, Laine and Aila (2019), “A Style-Based Generator Architecture for Generative Adversarial Networks”. Kingma, Salimans, Poole and Ho (2021), “Variational Diffusion Models”. Ronneberger, Fischer and Brox (2015), “U-Net: Convolutional Networks for Biomedical Image Segmentation”. Mescheder, Geiger and Nowozin (2018), “Which Training Methods for GANs do actually Converge?”. Kamb and Ganguli (2024), “An analytic theory of creativity in convolutional diffusion models”. Somepalli et al. (2023), “Diffusion Art or Digital Forgery?”. Carlini et al. (2023), “Extracting Training Data from Diffusion Models”.
#
# Next comes [lab 08b, Steering diffusion](08b_steering.ipynb).
