"""Lab 09, unCLIP: the prior's loss, the better of two, rows and columns, slerp, text differences, PCA."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, tensor

from squint.checks.engine import Case, Check, Draw, drawn, edits, exercises
from squint.models.diffusion import add_noise


def unit(vectors: Tensor) -> Tensor:
    """Vectors of length one."""
    return F.normalize(vectors, dim=-1)


def long(vectors: Tensor) -> Tensor:
    """Vectors of length √dim."""
    return math.sqrt(vectors.shape[-1]) * unit(vectors)


# The prior's loss

CUT_OFF = "No gradient reaches the network's weights. Stay in torch, without .detach(), .item() or torch.no_grad()."


def still(noisy: Tensor, time: Tensor, captions: Tensor) -> Tensor:
    """A network that says nothing but zeros."""
    return 0 * noisy


def attentive(noisy: Tensor, time: Tensor, captions: Tensor) -> Tensor:
    """A network that looks at all of its inputs."""
    return 0.6 * noisy * (1 + time[:, None]) + 0.5 * captions - 0.2 * time[:, None] ** 2


def guessing(label: str, draw: Draw, network: Any, batch: int, dim: int) -> Case:
    """A network, vectors and captions of length one, noise and times."""
    return Case(label, network, unit(draw(batch, dim)), unit(draw(batch, dim)), draw(batch, dim),
                draw(batch).sigmoid())  # fmt: skip


def loss_towards(target: Any) -> Any:
    """A mistake: another target."""

    def loss(network: Any, vectors: Tensor, captions: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        clean = math.sqrt(vectors.shape[-1]) * vectors
        noisy = add_noise(clean, noise, time)
        return (network(noisy, time, captions) - target(clean, noise, noisy, time)).square().mean()

    return loss


def turned(clean: Tensor, noise: Tensor, noisy: Tensor, time: Tensor) -> Tensor:
    """The velocity."""
    angle = time[:, None] * (math.pi / 2)
    return angle.cos() * noise - angle.sin() * clean


def teaches_the_network(answer: Any, case: Case) -> str | None:
    """a gradient reaches the network's weights"""
    network, vectors, captions, noise, time = case.args
    weight = torch.ones((), device=vectors.device, dtype=vectors.dtype, requires_grad=True)
    try:
        loss = answer(lambda *seen: weight * network(*seen), vectors, captions, noise, time)
    except RuntimeError as error:
        if "requires grad" not in str(error):
            raise
        return CUT_OFF
    return None if isinstance(loss, Tensor) and loss.requires_grad else CUT_OFF


prior_loss = Check(
    cases=drawn(
        lambda draw: Case("a network that says zero, one vector", still, tensor([[0.6, -0.8]]), tensor([[1.0, 0.0]]),
                          tensor([[0.5, 1.0]]), tensor([0.3])),
        lambda draw: guessing("three vectors of four numbers", draw, attentive, 3, 4),
        lambda draw: guessing("as many vectors as numbers", draw, attentive, 5, 5),
        lambda draw: guessing("one vector of nine numbers", draw, attentive, 1, 9),
        lambda draw: guessing("many", draw, attentive, 20, 16)),
    laws=[teaches_the_network],
    hints=(
        "A vector of length one has squares that add up to 1. Noise of dim numbers with variance one has squares that "
        "add up to about dim. By what do you multiply?",
        "clean = √dim · vectors; noisy = add_noise(clean, noise, time); then the mean of the squares of "
        "network(noisy, time, captions) − clean."),
    misconceptions=edits({
        "math.sqrt(vectors.shape[-1]) * vectors": {
            "vectors": "The vectors kept the length one, so next to the noise they are tiny. Make them as large: times "
            "√dim.",
            "vectors.shape[-1] * vectors": "You multiplied by dim. The *squares* are to add up to dim: times √dim.",
            "math.sqrt(len(vectors)) * vectors": "That is the root of the number of vectors. It is the numbers *in* a "
            "vector that count: √dim.",
            "vectors / math.sqrt(vectors.shape[-1])": "You made the vectors smaller still. Multiply by √dim.",
            "vectors / vectors.std()": "You divided by the deviation over the whole batch. That depends on who is in "
            "it; √dim does not."},
        "add_noise(clean, noise, time)": {
            "add_noise(vectors, noise, time)": "The short vectors were noised. Noise the long ones, clean.",
            "add_noise(noise, clean, time)": "Clean and noise are swapped in add_noise, or time runs backwards (on a "
            "quarter turn that is the same).",
            "clean + noise": "The noise was added in full, whatever the time. add_noise mixes by the time.",
            "add_noise(clean, math.sqrt(vectors.shape[-1]) * noise, time)": "The noise was made longer, too. It is "
            "large enough as it is."},
        "network(noisy, time, captions)": {
            "network(clean, time, captions)": "The network was shown the clean vectors. It is to see the noisy ones.",
            "network(noisy, time, vectors)": "The network was told the answer: vectors in the place of captions.",
            "network(noisy, time, 0 * captions)": "The captions were blanked. The network is to know them.",
            "network(noise, time, captions)": "The network was shown the bare noise. It is to see the noisy vectors.",
            "F.normalize(network(noisy, time, captions), dim=-1)": "The guesses were brought to length one. Compare "
            "them as they are."},
        ".square().mean()": {
            ".square().sum()": "The squares were added up. Take their mean.",
            ".square().sum(dim=-1).mean()": "The squares were added up over each vector. Take the mean over all "
            "numbers.",
            ".abs().mean()": "You took absolute errors. Square them.",
            ".square().mean().sqrt()": "The root does not belong here: the mean of the squares.",
            ".mean()": "The errors were not squared: errors of both signs cancel."},
    }, versions={
        "The network was held to the noise. The paper's prior says the clean vector.":
        loss_towards(lambda clean, noise, noisy, time: noise),
        "The network was held to the velocity, as in lab 08. Here it says the clean vector.": loss_towards(turned),
        "The network was held to the noisy vector, which stands before it.":
        loss_towards(lambda clean, noise, noisy, time: noisy),
        "The network was held to the vectors of length one. It is to say them as large as the noise.":
        loss_towards(lambda clean, noise, noisy, time: clean / math.sqrt(clean.shape[-1])),
        "That is one minus a cosine. Here the squared error is asked for.":
        lambda network, vectors, captions, noise, time: 1 - F.cosine_similarity(
            network(add_noise(math.sqrt(vectors.shape[-1]) * vectors, noise, time), time, captions), vectors).mean(),
    }))  # fmt: skip

# The better of two


def choice(label: str, draw: Draw, captions: int, k: int, dim: int) -> Case:
    """Candidates of all lengths, and captions of length one."""
    return Case(label, (0.2 + 3 * draw(captions, k, 1).abs()) * draw(captions, k, dim), unit(draw(captions, dim)))


best_of = Check(
    cases=drawn(
        lambda draw: Case("one caption, two candidates, the worse one longer", tensor([[[1.0, 0.1], [3.0, 3.0]]]),
                          tensor([[1.0, 0.0]])),
        lambda draw: Case("a candidate that points away", tensor([[[-2.0, 0.0], [0.1, 1.0]], [[0.3, 2.0], [5.0, 0.0]]]),
                          tensor([[1.0, 0.0], [0.0, 1.0]])),
        lambda draw: choice("one candidate each", draw, 3, 1, 4),
        lambda draw: choice("two captions, three candidates", draw, 2, 3, 4),
        lambda draw: choice("as many of everything", draw, 4, 4, 4),
        lambda draw: choice("many", draw, 15, 6, 8)),
    hints=(
        "One cosine for each candidate, [captions, k]; where it is largest in each row; and then that candidate of "
        "that row.",
        "F.cosine_similarity(candidates, captions[:, None], dim=-1).argmax(dim=1) says which. To pick: index with two "
        "lists, torch.arange(len(candidates)) (on the candidates' device) for the rows, and which."),
    misconceptions=edits({
        "F.cosine_similarity(candidates, captions[:, None], dim=-1)": {
            "(candidates * captions[:, None]).sum(dim=-1)": "You compared dot products, so a long candidate wins by "
            "its length. Compare cosines.",
            "-(candidates - captions[:, None]).norm(dim=-1)": "You compared distances. What suits is a direction: the "
            "cosine.",
            "F.cosine_similarity(candidates, captions[:, None], dim=-1).abs()": "The sign was dropped: a candidate "
            "that points away is as good then.",
            "F.cosine_similarity(candidates, captions.mean(dim=0), dim=-1)": "All captions were made into one. Each "
            "row has its own.",
            "F.cosine_similarity(candidates, captions.roll(1, 0)[:, None], dim=-1)": "Candidates were held against "
            "another row's caption.",
            "F.cosine_similarity(candidates, candidates.mean(dim=1, keepdim=True), dim=-1)": "Candidates were held "
            "against each other. Hold them against the caption."},
        "cosines.argmax(dim=1)": {
            "cosines.argmin(dim=1)": "You took the one that suits least.",
            "cosines.argmax(dim=1) * 0": "You took the first one, always.",
            "cosines.mean(dim=0).argmax().expand(len(candidates))": "One place was chosen for all captions. Each row "
            "chooses for itself.",
            "candidates.norm(dim=-1).argmax(dim=1)": "You took the longest."},
        "candidates[torch.arange(len(candidates), device=candidates.device), best]": {
            "candidates[:, best]": "candidates[:, best] takes all these places of *every* row. One of each row: index "
            "with two lists.",
            "F.normalize(candidates[torch.arange(len(candidates), device=candidates.device), best], dim=-1)": "The "
            "chosen ones were brought to length one. Return them as they are.",
            "best": "You returned which one it is. Return the candidate itself.",
            "cosines.amax(dim=1)": "You returned how well it suits. Return the candidate itself.",
            "(cosines.softmax(dim=1)[..., None] * candidates).sum(dim=1)": "That is a mixture of all candidates. "
            "Choose one."},
    }, versions={
        "You chose one for all captions together, the best of all rows. Each caption gets one of its own.":
        lambda candidates, captions: candidates.flatten(0, 1)[F.cosine_similarity(
            candidates, captions[:, None], dim=-1).flatten().argmax()].expand(len(candidates), -1),
    }))  # fmt: skip

# Rows and columns


def rows_first(table: Tensor) -> tuple[Tensor, Tensor]:
    """A mistake: each feature's share, and then their mean."""
    centred = table - table.mean(dim=(0, 1))
    everything = centred.square().sum(dim=(0, 1))
    return tuple((n * centred.mean(dim=axis).square().sum(dim=0) / everything).mean()
                 for axis, n in ((1, table.shape[1]), (0, table.shape[0])))  # type: ignore[return-value]  # fmt: skip


def numbers(output: Any) -> Any:
    """Two numbers, in whatever they come."""
    if isinstance(output, Tensor) and output.shape == (2,):
        return output[0], output[1]
    if isinstance(output, tuple | list) and len(output) == 2:
        return tuple(each if isinstance(each, Tensor) else tensor(float(each)) for each in output)
    return output


shares = Check(
    cases=drawn(
        lambda draw: Case("rows differ, columns do not",
                          tensor([[[1.0], [1.0], [1.0]], [[3.0], [3.0], [3.0]]])),
        lambda draw: Case("columns differ, rows do not", tensor([[[1.0, 0.0], [5.0, 2.0]], [[1.0, 0.0], [5.0, 2.0]]])),
        lambda draw: Case("neither: a checkerboard", tensor([[[1.0], [-1.0]], [[-1.0], [1.0]]])),
        lambda draw: Case("three rows, five columns", 4 + draw(3, 1, 2) + 0.5 * draw(1, 5, 2) + 0.3 * draw(3, 5, 2)),
        lambda draw: Case("five rows, two columns", draw(5, 1, 4) + draw(1, 2, 4) + draw(5, 2, 4)),
        lambda draw: Case("features of unlike size", (draw(4, 1, 3) + 0.4 * draw(4, 6, 3)) * tensor([1.0, 10.0, 0.1])),
        lambda draw: Case("all the same size", draw(4, 4, 4))),
    normal=numbers,
    hints=(
        "Take the mean of the whole table away first. Then the mean of a row is how far the row lies off. In how many "
        "cells does it stand?",
        "centred = table − its mean over dims (0, 1); everything = sum of squares; for rows: sum of the squares of "
        "centred.mean(dim=1), times the number of columns, over everything. For columns the other way round."),
    misconceptions=edits({
        "table - table.mean(dim=(0, 1))": {
            "table": "The mean of the whole table is still in it, so what all cells have in common counts as "
            "variation.",
            "table - table.mean()": "One mean was taken for all features. Each feature has its own: the mean over dims "
            "(0, 1).",
            "table - table.mean(dim=-1, keepdim=True)": "You took the mean over the features away. It is the mean over "
            "rows and columns."},
        "centred.square().sum()": {
            "centred.square().mean()": "A mean for all variation, but sums for its parts. Take sums for both.",
            "centred.abs().sum()": "Those are sizes. Variation is the sum of squares.",
            "table.square().sum()": "All variation was measured from 0. Measure it from the mean: centred."},
        "centred.mean(dim=1).square().sum() * table.shape[1] / everything": {
            "centred.mean(dim=1).square().sum() / everything": "Between rows: each row's mean stands in every column, "
            "so its square counts that many times.",
            "centred.mean(dim=1).square().sum() * table.shape[0] / everything": "Between rows: you multiplied by the "
            "number of rows. Each row's mean stands in every *column*.",
            "centred.square().mean(dim=1).sum() * table.shape[1] / everything": "Between rows: first squared, then "
            "mean. That is all variation. First the mean, then its square.",
            "centred.sum(dim=1).square().sum() * table.shape[1] / everything": "Between rows: a sum in the place of "
            "the mean.",
            "centred.mean(dim=1).norm() * table.shape[1] / everything": "Between rows: a root too many. It is the sum "
            "of squares."},
        "centred.mean(dim=0).square().sum() * table.shape[0] / everything": {
            "centred.mean(dim=0).square().sum() / everything": "Between columns: each column's mean stands in every "
            "row, so its square counts that many times.",
            "centred.mean(dim=0).square().sum() * table.shape[1] / everything": "Between columns: you multiplied by "
            "the number of columns. Each column's mean stands in every *row*.",
            "centred.square().mean(dim=0).sum() * table.shape[0] / everything": "Between columns: first squared, then "
            "mean. That is all variation. First the mean, then its square.",
            "1 - between_rows": "What is not between rows is not all between columns: some is in neither."},
        "return between_rows, between_columns": {
            "return between_columns, between_rows": "Rows and columns came back in the wrong order: rows first.",
            "return 100 * between_rows, 100 * between_columns": "Those are percent. Return shares from 0 to 1.",
            "return between_rows ** 0.5, between_columns ** 0.5": "Those are roots. Shares of the variation have "
            "none.",
            "return between_rows": "Only the rows' share came back. Return both."},
    }, versions={
        "You took each feature's share and then the mean of the shares, so a feature that hardly varies counts as much "
        "as any. Add up over the features first.": rows_first,
    }))  # fmt: skip

# On the sphere


def arc(one: Tensor, other: Tensor) -> Tensor:
    """The angle between two vectors of one length, [batch, 1]."""
    return F.cosine_similarity(one, other, dim=-1).clamp(-1, 1)[:, None].acos()


def by_sines(one: Tensor, other: Tensor, angle: Tensor, part: float) -> Tensor:
    """A slerp by some other angle."""
    mixed = ((1 - part) * angle).sin() * one + (part * angle).sin() * other
    return torch.where(angle > 1e-3, mixed / angle.sin(), one)


def pair(label: str, draw: Draw, batch: int, dim: int, part: float) -> Case:
    """Two sets of vectors of length √dim."""
    return Case(label, long(draw(batch, dim)), long(draw(batch, dim)), part)


def keeps_the_length(answer: Any, case: Case) -> str | None:
    """All results have the length of what goes in."""
    found = answer(*case.args)
    if torch.allclose(found.norm(dim=-1), case.args[0].norm(dim=-1), rtol=1e-3):
        return None
    return "Results do not have the length of one and other."


slerp = Check(
    cases=drawn(
        lambda draw: Case("a right angle, a third of the way", tensor([[2.0, 0.0]]), tensor([[0.0, 2.0]]), 1 / 3),
        lambda draw: pair("at the start", draw, 3, 4, 0.0),
        lambda draw: pair("at the end", draw, 3, 4, 1.0),
        lambda draw: pair("half-way", draw, 4, 4, 0.5),
        lambda draw: pair("a fifth of the way, many numbers", draw, 6, 30, 0.2),
        lambda draw: Case("one of them the same", tensor([[3.0, 4.0, 0.0], [5.0, 0.0, 0.0]]),
                          tensor([[3.0, 4.0, 0.0], [0.0, -3.0, 4.0]]), 0.3),
        lambda draw: Case("an obtuse angle", tensor([[2.0, 0.0]]), tensor([[-1.2, 1.6]]), 0.4),
        lambda draw: Case("of length one", unit(draw(5, 3)), unit(draw(5, 3)), 0.7)),
    rtol=1e-3, atol=1e-3,
    laws=[keeps_the_length],
    hints=(
        "Draw the triangle of 0, x and the result: the part along y is a side of it. Sides are to each other as the "
        "sines of the angles opposite. For the factor of y that gives sin(tθ)/sin(θ).",
        "angle = cosine.acos(); (((1 − part) · angle).sin() · one + (part · angle).sin() · other) / angle.sin(); where "
        "the angle is next to 0 that is 0/0: take one there, by torch.where."),
    misconceptions=edits({
        "((1 - part) * angle).sin() * one": {
            "(1 - part) * angle.sin() * one": "Before one the part stands outside of the sine. It is the angle that is "
            "shared out: sin((1 − t)·θ).",
            "(part * angle).sin() * one": "one got sin(tθ): at t = 0 nothing is left of it. It gets sin((1 − t)·θ).",
            "(1 - part * angle).sin() * one": "Before one stands sin(1 − tθ). It is sin((1 − t)·θ).",
            "((1 - part) * angle).cos() * one": "A cosine stands before one. It is a sine.",
            "(1 - part) * one": "one fades evenly, along a straight line. On the sphere it is sin((1 − t)·θ)."},
        "(part * angle).sin() * other": {
            "part * angle.sin() * other": "Before other the part stands outside of the sine. It is the angle that is "
            "shared out: sin(tθ).",
            "((1 - part) * angle).sin() * other": "other got sin((1 − t)·θ): at t = 1 nothing is left of it. It gets "
            "sin(tθ).",
            "part * other": "other grows evenly, along a straight line. On the sphere it is sin(tθ).",
            "(part * angle).cos() * other": "A cosine stands before other. It is a sine."},
        "cosine.acos()": {
            "cosine": "The cosine was taken for the angle. The angle is its arc cosine.",
            "cosine.asin()": "That is the arc sine of a cosine. The angle is the arc cosine.",
            "cosine.acos() * (180 / torch.pi)": "The angle is in degrees. Sines want radians, as acos gives them."},
        "torch.where(angle > 1e-3, mixed / angle.sin(), one)": {
            "mixed / angle.sin()": "Where both are the same, that is 0/0. Take one there.",
            "torch.where(angle > 1e-3, mixed, one)": "The division by sin θ is missing, so the length is not kept.",
            "torch.where(angle > 1e-3, mixed / angle, one)": "You divided by the angle. Divide by its sine.",
            "torch.where(angle > 1e-3, mixed / angle.sin(), 0 * one)": "Where both are the same, nothing came back. "
            "Take one there.",
            "torch.where(angle > 1e-3, F.normalize(mixed, dim=-1), one)": "Results were brought to length one. They "
            "keep the length of one and other."},
    }, versions={
        "That is the straight line: half-way it is too short. Go along the sphere.":
        lambda one, other, part: (1 - part) * one + part * other,
        "A straight line, brought back to the length: the right circle, but at an uneven pace. Share out the angle.":
        lambda one, other, part: F.normalize((1 - part) * one + part * other, dim=-1) * one.norm(dim=-1, keepdim=True),
        "It runs from other to one. At t = 0 it is to be at one.":
        lambda one, other, part: by_sines(other, one, arc(one, other), part),
        "The angle was taken from the dot product of vectors that are longer than one. Divide by the lengths: the "
        "cosine.": lambda one, other, part: by_sines(
            one, other, (one * other).sum(dim=-1, keepdim=True).clamp(-1, 1).acos(), part),
        "One angle was taken for the whole batch. Each row has its own.":
        lambda one, other, part: by_sines(one, other, arc(one, other).mean().expand(len(one), 1), part),
        "Half of the way only: the angle was halved.":
        lambda one, other, part: by_sines(one, other, arc(one, other), part / 2),
    }))  # fmt: skip

# Pushed by words


def pushing(label: str, draw: Draw, batch: int, dim: int, part: float) -> Case:
    """Pictures' vectors, long, and captions', of length one."""
    return Case(label, long(draw(batch, dim)), unit(draw(batch, dim)), unit(draw(batch, dim)), part)


def sphere(one: Tensor, other: Tensor, part: float) -> Tensor:
    """The right slerp."""
    return by_sines(one, other, arc(one, other), part)


WAY = "F.normalize(after - before, dim=-1) * math.sqrt(pictured.shape[-1])"
pushed = Check(
    cases=drawn(
        lambda draw: Case("one picture, half-way", tensor([[2.0**0.5, 0.0]]), tensor([[1.0, 0.0]]),
                          tensor([[1.0, 0.6]]), 0.5),
        lambda draw: pushing("not at all", draw, 3, 4, 0.0),
        lambda draw: pushing("a quarter of the way", draw, 3, 4, 0.25),
        lambda draw: pushing("all the way", draw, 2, 5, 1.0),
        lambda draw: pushing("as many pictures as numbers", draw, 6, 6, 0.4),
        lambda draw: pushing("many", draw, 12, 32, 0.3)),
    rtol=1e-3, atol=1e-3,
    hints=(
        "Two steps: the end of the way, which is the captions' difference at the length of the pictures' vectors; and "
        "your slerp towards it.",
        "way = F.normalize(after − before, dim=-1) · √dim, with dim = pictured.shape[-1]; "
        "slerp(pictured, way, part)."),
    misconceptions=edits({
        WAY: {
            "(after - before)": "The difference kept its own small length. Your slerp asks for one length on both "
            "ends: √dim.",
            "F.normalize(after - before, dim=-1)": "The difference has length one, and the pictures' vectors √dim. "
            "Give it √dim, too.",
            "(after - before) * math.sqrt(pictured.shape[-1])": "The difference of two vectors of length one has no "
            "length of one itself. Normalise it first, then √dim.",
            "F.normalize(before - after, dim=-1) * math.sqrt(pictured.shape[-1])": "The difference is turned round: it "
            "pushes from after to before.",
            "F.normalize(after, dim=-1) * math.sqrt(pictured.shape[-1])": "You go towards the target caption itself. "
            "Go towards the difference: after − before.",
            "F.normalize(after + before, dim=-1) * math.sqrt(pictured.shape[-1])": "The captions were added. Their "
            "difference says what is to change.",
            "F.normalize(after - F.normalize(pictured, dim=-1), dim=-1) * math.sqrt(pictured.shape[-1])": "You took "
            "the picture away, not the caption before. That brings the gap between captions and pictures in.",
            "F.normalize(after - before, dim=0) * math.sqrt(pictured.shape[-1])": "Lengths were taken down the batch. "
            "Each row is a vector: dim=-1.",
            "F.normalize((after - before).mean(dim=0), dim=-1).expand_as(pictured) * math.sqrt(pictured.shape[-1])":
            "One difference was made for all. Each picture has its own captions.",
            "pictured + F.normalize(after - before, dim=-1) * math.sqrt(pictured.shape[-1])": "The end of the way is "
            "the difference itself, not the picture plus the difference.",
            "F.normalize(after - before, dim=-1) * pictured.shape[-1]": "The length is √dim, not dim."},
        "slerp(pictured, way, part)": {
            "slerp(way, pictured, part)": "It runs from the difference to the picture, or the part runs backwards. At "
            "part = 0 it is to be the picture.",
            "pictured + part * way": "The difference was added along a straight line, so the length is not kept. Turn "
            "towards it with slerp.",
            "F.normalize(slerp(pictured, way, part), dim=-1)": "The result was brought to length one. It is to have "
            "√dim.",
            "F.normalize(pictured + part * way, dim=-1) * math.sqrt(pictured.shape[-1])": "Adding and bringing the "
            "length back goes another way, at another pace. Turn with slerp.",
            "(1 - part) * pictured + part * way": "That is the straight line. Turn with slerp."},
    }, versions={
        "The picture's vector was brought to length one first. It has √dim already.":
        lambda pictured, before, after, part: sphere(
            unit(pictured), unit(after - before) * math.sqrt(pictured.shape[-1]), part),
    }))  # fmt: skip

# Direction by direction


def cloud(label: str, draw: Draw, batch: int, n: int, dim: int, kept: int) -> Case:
    """Vectors that spread unevenly, off the middle."""
    widths = torch.linspace(3, 0.5, dim)
    turn = torch.linalg.qr(draw(dim, dim)).Q
    return Case(label, draw(batch, dim) + 1, (widths * draw(n, dim)) @ turn + 2 * draw(dim), kept)


def onto(wanted: Tensor, mean: Tensor, directions: Tensor) -> Tensor:
    """A shadow, lengthened."""
    return long(mean + (wanted - mean) @ directions.T @ directions)


def principal(known: Tensor, kept: int) -> Tensor:
    """The widest directions."""
    return torch.linalg.svd(known - known.mean(dim=0), full_matrices=False).Vh[:kept]


squeezed = Check(
    cases=drawn(
        lambda draw: Case("a flat cloud, one direction", tensor([[3.0, 2.0]]),
                          tensor([[0.0, 1.0], [2.0, 1.1], [4.0, 0.9], [6.0, 1.0]]), 1),
        lambda draw: cloud("none kept: the mean", draw, 3, 12, 4, 0),
        lambda draw: cloud("two of four", draw, 3, 20, 4, 2),
        lambda draw: cloud("all kept", draw, 4, 20, 5, 5),
        lambda draw: cloud("one vector, three of six", draw, 1, 30, 6, 3),
        lambda draw: cloud("five of eight, as many vectors as numbers", draw, 8, 40, 8, 5)),
    rtol=1e-3, atol=1e-3,
    hints=(
        "Go to where the mean of the known is 0, keep the shadow on the widest directions, come back, and bring the "
        "length to √dim.",
        "torch.linalg.svd(known − mean, full_matrices=False).Vh has the directions as rows, the widest first. The "
        "shadow of x is x @ directions.T @ directions; add the mean again; F.normalize(…) · √dim."),
    misconceptions=edits({
        "known.mean(dim=0)": {
            "known.mean()": "One number was taken for the mean. Each of the dim numbers has its own: dim=0.",
            "wanted.mean(dim=0)": "That is the mean of the vectors to be squeezed. It is that of the known."},
        "torch.linalg.svd(known - mean, full_matrices=False).Vh[:kept]": {
            "torch.linalg.svd(known, full_matrices=False).Vh[:kept]": "The mean was not taken away before the SVD, so "
            "the first direction points at it.",
            "torch.linalg.svd(known - mean, full_matrices=False).Vh[len(mean) - kept:]": "Those are the narrowest "
            "directions. The widest come first.",
            "torch.linalg.svd(known - mean, full_matrices=False).Vh[:, :kept].T": "The directions are the *rows* of "
            "Vh, not its columns.",
            "torch.linalg.svd(known - mean, full_matrices=False).Vh[:kept + 1]": "One direction too many was kept.",
            "torch.linalg.svd(known - mean, full_matrices=False).Vh[1:kept + 1]": "The widest direction was left out.",
            "torch.eye(len(mean), device=mean.device)[:kept]": "You kept the first *numbers* of the vectors. Keep the "
            "directions in which they spread most."},
        "mean + (wanted - mean) @ directions.T @ directions": {
            "(wanted - mean) @ directions.T @ directions": "The mean was not added again.",
            "mean + wanted @ directions.T @ directions": "The mean was not taken from the vectors before the shadow.",
            "wanted @ directions.T @ directions": "The vectors' shadow was taken as seen from 0. Take the mean away "
            "first, and add it afterwards.",
            "wanted - (wanted - mean) @ directions.T @ directions": "You dropped these directions and kept the rest."},
        "F.normalize(flat, dim=-1) * math.sqrt(wanted.shape[-1])": {
            "flat": "The length was not brought to √dim.",
            "F.normalize(flat, dim=-1)": "The results have length one. It is to be √dim.",
            "F.normalize(flat, dim=-1) * wanted.shape[-1]": "The length is √dim, not dim.",
            "F.normalize(flat, dim=-1) * math.sqrt(len(wanted))": "That is the root of the number of vectors. The "
            "length is the root of the numbers *in* one.",
            "F.normalize(flat, dim=-1) * math.sqrt(max(kept, 1))": "That is the root of how many were kept. The length "
            "is that of all vectors, √dim.",
            "F.normalize(flat, dim=-1) * wanted.norm(dim=-1, keepdim=True)": "The results got the length of what went "
            "in. They are to have √dim."},
    }, versions={
        "Those are the numbers along the directions. Go back to vectors: @ directions once more, plus the mean.":
        lambda wanted, known, kept: (wanted - known.mean(dim=0)) @ principal(known, kept).T,
        "You took the directions of the vectors that are to be squeezed. Take those of the known.":
        lambda wanted, known, kept: onto(wanted, wanted.mean(dim=0), principal(wanted, kept)),
    }))  # fmt: skip

CHECKS = exercises("09", {
    "prior_loss": prior_loss, "best_of": best_of, "shares": shares, "slerp": slerp, "pushed": pushed,
    "squeezed": squeezed,
})  # fmt: skip
