"""Lab 08, diffusion: noising, back from the velocity, the loss, both samplers' steps, flow matching, the best guess."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, tensor

from squint.checks.engine import Case, Check, Draw, drawn, edits, exercises
from squint.checks.networks import asked, constant, drift, per_thing, trains_the_network

# Noising


def noising(label: str, draw: Draw, *shape: int) -> Case:
    """Things, noise and an amount for each thing, inside 0 … 1."""
    return Case(label, draw(*shape), draw(*shape), draw(shape[0]).sigmoid())


add_noise = Check(
    cases=drawn(
        lambda draw: Case("one point, a quarter kept", tensor([[2.0, -1.0]]), tensor([[0.5, 1.0]]), tensor([0.25])),
        lambda draw: noising("three points", draw, 3, 2),
        lambda draw: noising("two points, so kept is as long as a point", draw, 2, 2),
        lambda draw: noising("two pictures", draw, 2, 3, 4, 5),
        lambda draw: noising("as many pictures as pixels in a row", draw, 4, 3, 4, 4),
        lambda draw: noising("two rows of points, three axes", draw, 2, 3, 4),
        lambda draw: Case("nothing and everything kept", draw(2, 3), draw(2, 3), tensor([0.0, 1.0]))),
    hints=(
        "Two products and a sum. kept is a share of the variance; what multiplies is a deviation. And each thing has "
        "its own.",
        "kept = kept.reshape(-1, *[1] * (clean.ndim - 1)); then kept.sqrt() * clean + (1 - kept).sqrt() * noise"),
    misconceptions=edits({
        "kept.reshape(-1, *[1] * (clean.ndim - 1))": {
            "kept": "kept was laid along the last axis, so it multiplies columns. It belongs to the things of the "
            "batch: give it an axis of length one for every other axis.",
            "kept[:, None]": "kept[:, None] has two axes: that is right for points, and not for pictures. The number "
            "of axes is clean's.",
            "kept[:, None, None, None]": "kept[:, None, None, None] fits pictures alone. The number of axes is "
            "clean's: clean.ndim.",
            "kept.mean()": "All things got the same amount, the mean. Each has its own."},
        "kept.sqrt() * clean": {
            "kept * clean": "The thing was multiplied by ᾱ, which is a variance. Multiply by its square root.",
            "clean": "The thing was kept whole and noise was added. It fades, too: times √ᾱ.",
            "(1 - kept.sqrt()) * clean": "The thing got 1 − √ᾱ. It is multiplied by √ᾱ.",
            "0 * clean": "The thing is missing. It fades, times √ᾱ, and the noise is added.",
            "kept.square() * clean": "You squared ᾱ. Take its root: √ᾱ."},
        "(1 - kept).sqrt() * noise": {
            "(1 - kept) * noise": "The noise was multiplied by its variance 1 − ᾱ. Take the square root.",
            "(1 - kept.sqrt()) * noise": "1 − √ᾱ is not √(1 − ᾱ): subtract first, then take the root.",
            "kept.sqrt() * noise": "The noise got √ᾱ, which is the thing's. It gets √(1 − ᾱ).",
            "1 - kept.sqrt() * noise": "Brackets are missing: the root is of 1 − ᾱ, and that multiplies the noise.",
            "((1 - kept).sqrt() + noise)": "The noise is multiplied by √(1 − ᾱ). You added the two.",
            "0 * noise": "The noise is missing: √(1 − ᾱ) · noise is added.",
            "(1 - kept).sqrt() * torch.randn_like(noise)": "Fresh noise was drawn. Use the noise that was given.",
            "noise": "The noise came in full. It is multiplied by √(1 − ᾱ).",
            "(1 - kept.square()).sqrt() * noise": "ᾱ was squared under the root. It is a variance already: √(1 − ᾱ)."},
        "+ (1": {
            "- (1": "The noise was taken away. It is added."},
    }, versions={
        "Thing and noise are swapped: at ᾱ = 1 all of the thing is left.":
        lambda clean, noise, kept: per_thing((1 - kept).sqrt(), clean) * clean + per_thing(kept.sqrt(), clean) * noise,
        "You took ᾱ for the time: there is no quarter turn here. kept is ᾱ itself.":
        lambda clean, noise, kept: per_thing((kept * math.pi / 2).cos(), clean) * clean
        + per_thing((kept * math.pi / 2).sin(), clean) * noise,
    }))  # fmt: skip

# Back from the velocity


clean_and_noise = Check(
    cases=drawn(
        lambda draw: Case("one point, 0.36 kept", tensor([[1.0, -2.0]]), tensor([[3.0, 0.5]]), tensor([0.36])),
        lambda draw: noising("three points", draw, 3, 2),
        lambda draw: noising("two points, so kept is as long as a point", draw, 2, 2),
        lambda draw: noising("two pictures", draw, 2, 3, 4, 5),
        lambda draw: noising("two rows of points, three axes", draw, 2, 3, 4),
        lambda draw: Case("nothing kept, and everything", draw(2, 3), draw(2, 3), tensor([0.0, 1.0]))),
    hints=(
        "noisy = cos · clean + sin · noise and velocity = cos · noise − sin · clean, with cos = √ᾱ and sin = √(1 − ᾱ). "
        "Which mix of the two leaves the clean thing alone?",
        "cos · noisy − sin · velocity gives (cos² + sin²) · clean. For the noise: sin · noisy + cos · velocity."),
    misconceptions=edits({
        "kept.sqrt() * noisy - (1 - kept).sqrt() * velocity": {
            "kept.sqrt() * noisy + (1 - kept).sqrt() * velocity": "In the clean thing the velocity's sign is wrong: it "
            "is taken away.",
            "(1 - kept).sqrt() * noisy - kept.sqrt() * velocity": "In the clean thing the two factors are swapped: "
            "√ᾱ · noisy − √(1 − ᾱ) · velocity.",
            "kept * noisy - (1 - kept) * velocity": "In the clean thing you multiplied by variances. Take the square "
            "roots.",
            "(noisy - (1 - kept).sqrt() * velocity) / kept.sqrt()": "That is the way back from the *noise*. This is a "
            "velocity: √ᾱ · noisy − √(1 − ᾱ) · velocity, and nothing is divided.",
            "kept.sqrt() * velocity - (1 - kept).sqrt() * noisy": "In the clean thing noisy and velocity are swapped.",
            "noisy - velocity": "noisy − velocity is the way back on a straight line (section 5). This is a turn.",
            "kept.sqrt() * noisy - (1 - kept.sqrt()) * velocity": "In the clean thing stands 1 − √ᾱ. It is √(1 − ᾱ)."},
        "(1 - kept).sqrt() * noisy + kept.sqrt() * velocity": {
            "(1 - kept).sqrt() * noisy - kept.sqrt() * velocity": "In the noise the velocity's sign is wrong: it is "
            "added.",
            "kept.sqrt() * noisy + (1 - kept).sqrt() * velocity": "In the noise the two factors are swapped: "
            "√(1 − ᾱ) · noisy + √ᾱ · velocity.",
            "(1 - kept) * noisy + kept * velocity": "In the noise you multiplied by variances. Take the square roots.",
            "(1 - kept.sqrt()) * noisy + kept.sqrt() * velocity": "In the noise stands 1 − √ᾱ. It is √(1 − ᾱ).",
            "(noisy - kept.sqrt() * clean) / (1 - kept).sqrt().clamp(min=1e-4)": "The noise is right but where ᾱ = 1: "
            "there is none in noisy to be found by division, guarded or not. Mix noisy and velocity instead.",
            "velocity": "The velocity was returned for the noise. They are the same at ᾱ = 1 only.",
            "(noisy - kept.sqrt() * clean) / (1 - kept).sqrt()": "The noise is right but where ᾱ = 1: there you divide "
            "by zero. √(1 − ᾱ) · noisy + √ᾱ · velocity needs no division."},
        "return clean, noise": {
            "return noise, clean": "Clean and noise came back in the wrong order: clean first.",
            "return clean": "Only the clean thing came back. Return both: clean, noise."},
        "kept.reshape(-1, *[1] * (noisy.ndim - 1))": {
            "kept": "kept was laid along the last axis. It belongs to the things of the batch."},
    }))  # fmt: skip

# The loss


def still(noisy: Tensor, time: Tensor) -> Tensor:
    """A network that says nothing but zeros."""
    asked(noisy, time=time)
    return 0 * noisy


def leaning(noisy: Tensor, time: Tensor) -> Tensor:
    """A network that looks at both its inputs."""
    asked(noisy, time=time)
    return 0.7 * noisy * per_thing(1 + time, noisy) - 0.3 * per_thing(time, noisy) ** 2


def training(label: str, draw: Draw, network: Any, *shape: int) -> Case:
    """A network, things, noise and times."""
    return Case(label, network, draw(*shape), draw(*shape), draw(shape[0]).sigmoid())


def turned(clean: Tensor, noise: Tensor, time: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Signal, level, noisy thing and velocity."""
    signal, level = (per_thing(each, clean) for each in ((time * math.pi / 2).cos(), (time * math.pi / 2).sin()))
    return signal, level, signal * clean + level * noise, signal * noise - level * clean


def loss_with(target: Any, seen: Any = None) -> Any:
    """A mistake: another target, or something else shown to the network."""

    def loss(network: Any, clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        signal, level, noisy, velocity = turned(clean, noise, time)
        shown = noisy if seen is None else seen(clean, noise, noisy)
        return (network(shown, time) - target(clean, noise, noisy, velocity)).square().mean()

    return loss


NETWORK = "network(noisy, time)"
velocity_loss = Check(
    cases=drawn(
        lambda draw: Case("a network that says zero, one point", still, tensor([[2.0, -1.0]]), tensor([[0.5, 1.0]]),
                          tensor([0.3])),
        lambda draw: training("three points", draw, leaning, 3, 2),
        lambda draw: training("two points", draw, leaning, 2, 2),
        lambda draw: training("two pictures", draw, leaning, 2, 3, 4, 5),
        lambda draw: training("two rows of points, three axes", draw, leaning, 2, 3, 4),
        lambda draw: Case("near both ends of time", leaning, draw(2, 3), draw(2, 3), tensor([0.02, 0.98]))),
    laws=[trains_the_network(loss_with(lambda clean, noise, noisy, velocity: velocity))],
    hints=(
        "Noise the things with your add_noise, ask the network, and hold what it says against the velocity. How much "
        "is kept at a time, alpha_bar says.",
        "noisy = add_noise(clean, noise, kept); target = √ᾱ · noise − √(1 − ᾱ) · clean, with kept as an amount for "
        "each thing; then the mean of (network(noisy, time) − target)²."),
    misconceptions=edits({
        "kept.sqrt() * noise - (1 - kept).sqrt() * clean": {
            "noise": "The network was held to the noise. That is the paper's target; here it is the velocity.",
            "clean": "The network was held to the clean thing. Here it is the velocity.",
            "math.pi / 2 * (kept.sqrt() * noise - (1 - kept).sqrt() * clean)": "π/2 belongs to the derivative by "
            "time. The velocity is the one by the angle: leave it out.",
            "noise - (1 - kept).sqrt() * clean": "In the velocity √ᾱ is missing before the noise.",
            "kept.sqrt() * noise - clean": "In the velocity √(1 − ᾱ) is missing before the clean thing.",
            "kept.sqrt() * noise - (1 - kept.sqrt()) * clean": "In the velocity stands 1 − √ᾱ. It is √(1 − ᾱ).",
            "noise - clean": "noise − clean is the direction of a straight line (section 5). On the quarter turn the "
            "velocity is √ᾱ · noise − √(1 − ᾱ) · clean.",
            "kept.sqrt() * noise + (1 - kept).sqrt() * clean": "In the velocity the clean thing is taken away, not "
            "added.",
            "(1 - kept).sqrt() * clean - kept.sqrt() * noise": "The velocity's sign is wrong: it points towards the "
            "noise.",
            "kept.sqrt() * clean - (1 - kept).sqrt() * noise": "In the velocity clean and noise are swapped.",
            "(1 - kept).sqrt() * noise - kept.sqrt() * clean": "In the velocity the two factors are swapped.",
            "kept * noise - (1 - kept) * clean": "In the velocity you multiplied by variances. Take the square roots."},
        NETWORK: {
            "network(clean, time)": "The network was shown the clean things. It is to see the noisy ones.",
            "network(noise, time)": "The network was shown the bare noise. It is to see the noisy things.",
            "network(noisy, kept.flatten())": "The network was told ᾱ. It is told the time.",
            "network(noisy, 1 - time)": "Time runs backwards in what the network is told."},
        ".square().mean()": {
            ".square().sum()": "The squares were added up. Take their mean.",
            ".abs().mean()": "You took absolute errors. Square them.",
            ".square().mean().sqrt()": "The root does not belong here: the mean of the squares.",
            ".mean().square()": "The mean of the errors was squared: errors of both signs cancel. Square first.",
            ".square().sum() / len(clean)": "You divided by the number of things. The mean goes over all their "
            "numbers.",
            ".mean()": "The errors were not squared: errors of both signs cancel."},
        "kept = alpha_bar(time)": {
            "kept = 1 - alpha_bar(time)": "1 − ᾱ was taken for ᾱ: alpha_bar(time) is what is kept.",
            "kept = time": "The time was taken for ᾱ. alpha_bar(time) says what is kept.",
            "kept = alpha_bar(time).sqrt()": "√ᾱ was taken for ᾱ: alpha_bar(time) is ᾱ itself."},
    }, versions={
        "The network was held to the noisy thing, which stands before it.":
        loss_with(lambda clean, noise, noisy, velocity: noisy),
    }))  # fmt: skip

# The chain's step back


def stepping(label: str, draw: Draw, now: float, then: float, *shape: int) -> Case:
    """A guess, a noisy thing, and what is kept at both times."""
    return Case(label, draw(*shape), draw(*shape), now, then)


def plain(output: Any) -> Any:
    """Mean and deviation, the latter as a number."""
    pair = isinstance(output, tuple | list) and len(output) == 2
    return (output[0], float(output[1])) if pair and isinstance(output[1], Tensor | np.generic) else output


posterior = Check(
    cases=drawn(
        lambda draw: Case("one point, from 0.25 to 0.64", tensor([[2.0, -1.0]]), tensor([[0.5, 1.0]]), 0.25, 0.64),
        lambda draw: stepping("three points, near the noise", draw, 0.02, 0.1, 3, 2),
        lambda draw: stepping("pictures, near the end", draw, 0.9, 0.99, 2, 3, 4, 4),
        lambda draw: stepping("the last step, to ᾱ = 1", draw, 0.97, 1.0, 3, 2),
        lambda draw: stepping("the first step, from ᾱ = 0", draw, 0.0, 0.01, 4, 3),
        lambda draw: stepping("one step for all, from 0.3 to 1", draw, 0.3, 1.0, 2, 5)),
    normal=plain,
    hints=(
        "First α of this step, by division: ᾱ now is ᾱ then, times α. Then four lines, the formulas as they stand; "
        "only that what comes back is a deviation.",
        "alpha = kept_now / kept_then; √kept_then · (1 − alpha) / (1 − kept_now) for clean; √alpha · (1 − kept_then) / "
        "(1 − kept_now) for noisy; and the root of (1 − alpha) · (1 − kept_then) / (1 − kept_now)."),
    misconceptions=edits({
        "alpha = kept_now / kept_then": {
            "alpha = kept_now": "ᾱ was taken for α. α belongs to this step alone: kept_now / kept_then.",
            "alpha = kept_then": "ᾱ at the earlier time was taken for α. α belongs to this step alone: "
            "kept_now / kept_then.",
            "alpha = kept_now * kept_then": "α is a quotient: what is kept now of what was kept then.",
            "alpha = 1 - kept_now / kept_then": "That is β = 1 − α. In the formulas α and β changed places."},
        "math.sqrt(kept_then) * (1 - alpha) / (1 - kept_now)": {
            "kept_then * (1 - alpha) / (1 - kept_now)": "Before the clean thing stands ᾱ without its root: √ᾱ_s.",
            "math.sqrt(kept_now) * (1 - alpha) / (1 - kept_now)": "Before the clean thing stands √ᾱ of the noisier "
            "time. It is that of the earlier one, kept_then.",
            "math.sqrt(kept_then) * (1 - alpha) / (1 - kept_then if kept_then < 1 else 1)": "Before the clean thing "
            "you divide by 1 − ᾱ of the earlier time. It is 1 − kept_now.",
            "math.sqrt(kept_then) / (1 - kept_now)": "Before the clean thing β = 1 − α is missing.",
            "math.sqrt(kept_then) * (1 - alpha)": "Before the clean thing the division by 1 − ᾱ_t is missing.",
            "(1 - alpha) / (1 - kept_now)": "Before the clean thing √ᾱ_s is missing.",
            "math.sqrt(kept_then * (1 - alpha) / (1 - kept_now))": "Before the clean thing the root goes over ᾱ_s "
            "alone.",
            "math.sqrt(kept_then) * math.sqrt(1 - alpha) / (1 - kept_now)": "β has no root in the mean."},
        "math.sqrt(alpha) * (1 - kept_then) / (1 - kept_now)": {
            "math.sqrt(alpha) * math.sqrt(1 - kept_then) / (1 - kept_now)": "Before the noisy thing 1 − ᾱ_s has no "
            "root.",
            "math.sqrt(alpha) * (1 - kept_then)": "Before the noisy thing the division by 1 − ᾱ_t is missing.",
            "(1 - kept_then) / (1 - kept_now)": "Before the noisy thing √α is missing.",
            "math.sqrt(alpha * (1 - kept_then) / (1 - kept_now))": "Before the noisy thing the root goes over α alone.",
            "alpha * (1 - kept_then) / (1 - kept_now)": "Before the noisy thing stands α without its root.",
            "math.sqrt(kept_now) * (1 - kept_then) / (1 - kept_now)": "Before the noisy thing ᾱ was taken for α.",
            "math.sqrt(alpha) * (1 - kept_now) / (1 - kept_now)": "Before the noisy thing stands 1 − ᾱ of the noisier "
            "time above the line. It is that of the earlier one."},
        "variance = (1 - alpha) * (1 - kept_then) / (1 - kept_now)": {
            "variance = (1 - alpha) * (1 - kept_then)": "In the variance the division by 1 − ᾱ_t is missing.",
            "variance = (1 - kept_then) / (1 - kept_now)": "In the variance β = 1 − α is missing.",
            "variance = 1 - alpha": "That is β, the paper's larger choice: with it the last step would add noise. "
            "Here it is the posterior's, which is 0 there.",
            "variance = 1 - kept_then": "That is all the noise that there is at the earlier time. The posterior "
            "leaves less open: times β / (1 − ᾱ_t).",
            "variance = (1 - alpha) * (1 - kept_now) / (1 - kept_then if kept_then < 1 else 1)": "The quotient in the "
            "variance is upside down: (1 − kept_then) / (1 − kept_now)."},
        "math.sqrt(variance)": {
            "variance": "You returned the variance. The standard deviation is its square root.",
            "math.log(variance + 1e-20)": "You returned the variance's logarithm. Return the standard deviation."},
        "from_clean * clean + from_noisy * noisy": {
            "from_clean * noisy + from_noisy * clean": "The two factors of the mean are swapped.",
            "from_clean * clean - from_noisy * noisy": "The noisy thing's part is added, not taken away."},
    }))  # fmt: skip

# DDIM's step


def by_forward_noise(clean: Tensor, noisy: Tensor, kept_now: float, kept_then: float) -> Tensor:
    """A mistake: a straight line from noisy to clean."""
    share = (kept_then - kept_now) / (1 - kept_now)
    return noisy + share * (clean - noisy)


def by_posterior(clean: Tensor, noisy: Tensor, kept_now: float, kept_then: float) -> Tensor:
    """A mistake: the posterior's mean."""
    alpha = kept_now / kept_then
    return (math.sqrt(kept_then) * (1 - alpha) * clean + math.sqrt(alpha) * (1 - kept_then) * noisy) / (1 - kept_now)


ddim_step = Check(
    cases=drawn(
        lambda draw: Case("one point, from 0.25 to 0.64", tensor([[2.0, -1.0]]), tensor([[0.5, 1.0]]), 0.25, 0.64),
        lambda draw: stepping("three points, near the noise", draw, 0.02, 0.1, 3, 2),
        lambda draw: stepping("pictures, near the end", draw, 0.9, 0.99, 2, 3, 4, 4),
        lambda draw: stepping("the last step, to ᾱ = 1", draw, 0.97, 1.0, 3, 2),
        lambda draw: stepping("the first step, from ᾱ = 0", draw, 0.0, 0.01, 4, 3)),
    hints=(
        "Two lines: which noise must be in noisy, if clean is right? Then noise the clean thing with it, by the "
        "earlier time's amounts.",
        "noise = (noisy − √kept_now · clean) / √(1 − kept_now); then √kept_then · clean + √(1 − kept_then) · noise."),
    misconceptions=edits({
        "(noisy - math.sqrt(kept_now) * clean) / math.sqrt(1 - kept_now)": {
            "noisy - math.sqrt(kept_now) * clean": "What is left is the noise times √(1 − ᾱ_t). Divide by that.",
            "(noisy - clean) / math.sqrt(1 - kept_now)": "The clean thing was taken away whole. In noisy it stands "
            "times √ᾱ_t.",
            "(noisy - kept_now * clean) / math.sqrt(1 - kept_now)": "In the noise stands ᾱ_t without its root before "
            "the clean thing.",
            "(noisy - kept_now * clean) / (1 - kept_now)": "In the noise both roots are missing: √ᾱ_t before the "
            "clean thing, √(1 − ᾱ_t) below the line.",
            "(noisy - math.sqrt(kept_now) * clean) / (1 - math.sqrt(kept_now))": "Below the line stands 1 − √ᾱ_t. It "
            "is √(1 − ᾱ_t).",
            "(noisy - math.sqrt(kept_now) * clean) / (1 - kept_now)": "You divided by the variance 1 − ᾱ_t. Divide by "
            "its root.",
            "(noisy - math.sqrt(kept_then) * clean) / math.sqrt(1 - kept_now)": "The noise was told from noisy by the "
            "earlier time's ᾱ. noisy stands at kept_now.",
            "torch.randn_like(noisy)": "Fresh noise was drawn. DDIM uses the noise that is in noisy.",
            "noisy": "noisy was taken for the noise. They are the same at ᾱ = 0 only.",
            "(math.sqrt(kept_now) * clean - noisy) / math.sqrt(1 - kept_now)": "The noise has the wrong sign."},
        "math.sqrt(kept_then) * clean": {
            "kept_then * clean": "The clean thing was multiplied by a variance. Take the root of kept_then.",
            "math.sqrt(kept_now) * clean + 0 * kept_then": "The clean thing got √ᾱ of the noisier time. It goes to "
            "kept_then.",
            "clean": "The clean thing was added whole. At the earlier time it stands times √ᾱ_s."},
        "math.sqrt(1 - kept_then) * noise": {
            "0 * noise": "The noise is missing: √(1 − ᾱ_s) · noise is added.",
            "(1 - kept_then) * noise": "The noise was multiplied by a variance. Take the root of 1 − kept_then.",
            "math.sqrt(1 - kept_now) * noise": "The noise got the amount of the noisier time. It goes to kept_then; "
            "at the last step none is left.",
            "noise": "The noise was added whole. At the earlier time it stands times √(1 − ᾱ_s)."},
    }, versions={
        "That is the mean of the posterior, DDPM's. DDIM keeps as much noise as belongs to the earlier time.":
        by_posterior,
        "That is a straight line from noisy to clean, as without any root. DDIM's factors are √ᾱ and √(1 − ᾱ).":
        by_forward_noise,
        "You mixed for the time where it stands, so nothing moves. Mix for kept_then.":
        lambda clean, noisy, kept_now, kept_then: noisy,
        "The clean thing was not taken out of noisy before the division, so it is in the noise.":
        lambda clean, noisy, kept_now, kept_then: math.sqrt(kept_then) * clean
        + math.sqrt((1 - kept_then) / (1 - kept_now)) * noisy,
        "The guess itself came back: that is one step to the very end.":
        lambda clean, noisy, kept_now, kept_then: clean,
    }))  # fmt: skip

# Flow matching


def backwards_in_time(network: Any, noise: Tensor, steps: int) -> Tensor:
    """A mistake: the times run from 0 to 1."""
    x = noise
    for step in range(steps):
        x = x - network(x, torch.full((len(x),), step / steps, device=x.device)) / steps
    return x


def off_by_one(network: Any, noise: Tensor, steps: int) -> Tensor:
    """A mistake: each step asks at its end."""
    x = noise
    for step in range(steps):
        x = x - network(x, torch.full((len(x),), 1 - (step + 1) / steps, device=x.device)) / steps
    return x


def always_from_the_noise(network: Any, noise: Tensor, steps: int) -> Tensor:
    """A mistake: the network is asked about the noise all along."""
    x = noise
    for step in range(steps):
        x = x - network(noise, torch.full((len(x),), 1 - step / steps, device=x.device)) / steps
    return x


euler = Check(
    cases=drawn(
        lambda draw: Case("one point, one step", drift, tensor([[2.0, -1.0]]), 1),
        lambda draw: Case("a constant direction, four steps", constant, draw(3, 2), 4),
        lambda draw: Case("three points, two steps", drift, draw(3, 2), 2),
        lambda draw: Case("pictures, five steps", drift, draw(2, 3, 4, 4), 5),
        lambda draw: Case("many steps", drift, draw(2, 5), 30)),
    hints=(
        "The direction points to the noise, and you come from there. A step is 1/steps long, and the first one asks at "
        "time 1.",
        "for step in range(steps): time = 1 − step / steps, for each thing of the batch (torch.full, on x's device); "
        "x = x − network(x, time) / steps."),
    misconceptions=edits({
        "x - network(x, time) / steps": {
            "x + network(x, time) / steps": "You went with the direction, to still more noise. Go against it.",
            "x - network(x, time)": "Each step went the whole way. A step is 1/steps of it.",
            "x - network(x, time) * time[0] / steps": "The step was multiplied by the time. All steps are equally "
            "long.",
            "x - network(x, time) / (step + 1)": "You divided by the number of the step. All steps are 1/steps long.",
            "x - network(x, time) / (steps + 1)": "A step is 1/steps, not 1/(steps + 1).",
            "noise - network(x, time) / steps": "Every step began from the noise again, so only the last one counts. "
            "Go on from x."},
        "1 - step / steps": {
            "1 - (step + 0.5) / steps": "The network was asked half-way through each step. Euler asks at its "
            "beginning.",
            "(step + 1) / steps": "These are the right times in reverse. The network is asked at 1 first.",
            "steps - step": "The network was told the number of the step. Times run from 1 to 0.",
            "1.0": "The network was told 1 all along. The time falls by 1/steps each step.",
            "1 - step / (steps - 1 if steps > 1 else 1)": "Divided by steps − 1, the last step asks at time 0 and "
            "goes beyond. The times are 1 − step/steps."},
        "range(steps)": {
            "range(steps + 1)": "One step too many: it ends beyond time 0.",
            "range(1, steps)": "The first step is missing: range(steps) begins at 0, at time 1."},
    }, versions={
        "Time ran the wrong way. Noise stands at time 1, so the network is asked at 1 first.": backwards_in_time,
        "The times are off by one: each step asked at its end. Ask at its beginning, 1 first.": off_by_one,
        "The network was asked about the noise all along. Ask it about x.": always_from_the_noise,
    }))  # fmt: skip

# The best guess


def hidden_ones(label: str, draw: Draw, batch: int, things: int, dim: int, kept: float) -> Case:
    """Noisy things near known ones."""
    known = 2 * draw(things, dim)
    noisy = math.sqrt(kept) * known[torch.arange(batch) % things] + math.sqrt(1 - kept) * draw(batch, dim)
    return Case(label, noisy, known, kept)


def by_exp(noisy: Tensor, known: Tensor, kept: float) -> Tensor:
    """A mistake: a softmax by hand, of numbers whose exponentials are all 0."""
    chances = (-torch.cdist(noisy, math.sqrt(kept) * known).square() / (2 * (1 - kept))).exp()
    return chances / chances.sum(dim=1, keepdim=True) @ known


best_guess = Check(
    cases=drawn(
        lambda draw: Case("one point, two known, half kept", tensor([[1.0, 0.2]]), tensor([[2.0, 0.0], [0.0, 1.0]]),
                          0.5),
        lambda draw: hidden_ones("three noisy, five known", draw, 3, 5, 4, 0.3),
        lambda draw: hidden_ones("as many of everything", draw, 4, 4, 4, 0.2),
        lambda draw: hidden_ones("much noise", draw, 5, 3, 6, 0.02),
        lambda draw: Case("nothing kept: the mean of all", draw(2, 3), draw(7, 3), 0.0),
        lambda draw: hidden_ones("small pictures", draw, 3, 4, 768, 0.3),
        lambda draw: hidden_ones("little noise", draw, 6, 4, 2, 0.9)),
    rtol=1e-3, atol=1e-4,
    hints=(
        "Distances of each noisy thing to each known one, after the known have faded as much as the noisy has; "
        "a softmax over the known; a weighted mean.",
        "torch.cdist(noisy, √kept · known); softmax over dim=1 of −distance² / (2 · (1 − kept)); times known, by @."),
    misconceptions=edits({
        "torch.cdist(noisy, math.sqrt(kept) * known)": {
            "torch.cdist(noisy, known)": "The known things were compared as they are. In noisy they have faded: "
            "√ᾱ · known.",
            "torch.cdist(noisy, kept * known)": "The known things were multiplied by ᾱ. Take its root.",
            "torch.cdist(noisy / math.sqrt(kept), known)": "noisy was divided by √ᾱ; then the noise is "
            "larger by that, too. Multiply the known things by √ᾱ instead.",
            "torch.cdist(math.sqrt(kept) * noisy, known)": "noisy was multiplied by √ᾱ. It is the known things that "
            "have to fade."},
        "-distance.square() / (2 * (1 - kept))": {
            "distance.square() / (2 * (1 - kept))": "The sign is wrong: the farthest got the largest weight.",
            "-distance / (2 * (1 - kept))": "The distance was not squared. A normal density has the square.",
            "-distance.square() / 2": "Below the line 1 − ᾱ, the noise's variance, is missing.",
            "-distance.square().square() / (2 * (1 - kept))": "The distance was squared twice.",
            "-distance.square()": "The noise's variance is missing: divide by 2 · (1 − ᾱ).",
            "-distance.square() / (1 - kept)": "The 2 is missing: divide by 2 · (1 − ᾱ).",
            "-distance.square() / (2 * math.sqrt(1 - kept))": "You divided by the deviation. The square goes with the "
            "variance, 1 − ᾱ.",
            "-distance.square() / (2 * (1 - kept) ** 2)": "1 − ᾱ is the variance already: do not square it.",
            "-distance.square() / (2 * kept + 1e-9)": "You divided by 2ᾱ. The noise's variance is 1 − ᾱ.",
            "-distance.square().mul(1 / noisy.shape[1]) / (2 * (1 - kept))": "That is the mean over the pixels. The "
            "squared distance is their sum."},
        "softmax(dim=1)": {
            "exp()": "exp alone gives weights that do not add up to 1. Use softmax.",
            "softmax(dim=0)": "The softmax ran over the noisy things. Each spreads its chances over the known ones: "
            "dim=1."},
        "chances @ known": {
            "math.sqrt(kept) * chances @ known": "The mean was taken of the faded things. The guess is of the clean "
            "ones.",
            "known[chances.argmax(dim=1)]": "That is the likeliest one alone. The guess is the mean over all, weighted "
            "by their chances.",
            "chances": "Those are the chances. The guess is the weighted mean: chances @ known."},
    }, versions={
        "exp of a picture's squared distance is 0, so you divide 0 by 0. Use softmax, which is safe there.":
        by_exp,
    }))  # fmt: skip

CHECKS = exercises("08", {
    "add_noise": add_noise, "clean_and_noise": clean_and_noise, "velocity_loss": velocity_loss,
    "posterior": posterior, "ddim_step": ddim_step, "euler": euler, "best_guess": best_guess,
})  # fmt: skip
