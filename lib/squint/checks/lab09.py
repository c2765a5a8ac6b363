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
            "math.sqrt(128) * vectors": "128 numbers are what this lab's vectors have. Take dim from the vectors you "
            "get: √dim.",
            "128 * vectors": "You multiplied by 128. It is the root of dim, and dim comes from the vectors you get.",
            "vectors / vectors.std(dim=-1, keepdim=True)": "You divided by each vector's deviation from its own "
            "mean. What counts is its mean square: times √dim.",
            "F.layer_norm(vectors, vectors.shape[-1:])": "The mean of each vector's numbers was taken away, so it "
            "points elsewhere. Change its length only.",
            "vectors * noise.norm(dim=-1, keepdim=True)": "The vectors got the length of the very noise they meet. "
            "They all get one length, √dim.",
            "vectors": "The vectors kept the length one, so next to the noise they are tiny. Make them as large: times "
            "√dim.",
            "vectors.shape[-1] * vectors": "You multiplied by dim. The *squares* are to add up to dim: times √dim.",
            "math.sqrt(len(vectors)) * vectors": "That is the root of the number of vectors. It is the numbers *in* a "
            "vector that count: √dim.",
            "vectors / math.sqrt(vectors.shape[-1])": "You made the vectors smaller still. Multiply by √dim.",
            "vectors / vectors.std()": "You divided by the deviation over the whole batch. That depends on who is in "
            "it; √dim does not."},
        "add_noise(clean, noise, time)": {
            "time[:, None].cos() * clean + time[:, None].sin() * noise": "The time was taken for the angle. From "
            "time 0 to 1 it is a quarter turn, π/2.",
            "(math.pi * time[:, None]).cos() * clean + (math.pi * time[:, None]).sin() * noise": "Half a turn was "
            "made, π. From time 0 to 1 it is a quarter, π/2.",
            "(90 * time[:, None]).cos() * clean + (90 * time[:, None]).sin() * noise": "The angle is in degrees. A "
            "quarter turn is π/2, or leave it to add_noise.",
            "clean + time[:, None] * noise": "The clean vectors stay whole, whatever the time. add_noise fades them "
            "out as the noise comes in.",
            "(1 - time[:, None]) * clean + time[:, None] * noise": "Clean and noise were mixed along a straight "
            "line. add_noise mixes them by a cosine and a sine.",
            "(1 - time[:, None]).sqrt() * clean + time[:, None].sqrt() * noise": "Clean and noise were mixed by "
            "roots of the time. add_noise mixes them by a cosine and a sine.",
            "add_noise(captions, noise, time)": "The captions were noised. Noise the pictures' vectors, clean.",
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
            "network(noisy, time, math.sqrt(vectors.shape[-1]) * captions)": "The captions were made longer, too. Hand "
            "them to the network as they come.",
            "F.normalize(network(noisy, time, captions), dim=-1)": "The guesses were brought to length one. Compare "
            "them as they are."},
        ".square().mean()": {
            ".norm(dim=-1).mean()": "Those are the errors' lengths, and a length has a root in it. Take the mean of "
            "the squares.",
            ".mean().square()": "First the mean, then the square: errors of both signs have cancelled by then. "
            "Square first.",
            ".square().mean() / vectors.shape[-1]": "The mean over all numbers was divided by dim once more.",
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
        "The network was held to a straight line's velocity, noise less clean. Here it says the clean vector.":
        loss_towards(lambda clean, noise, noisy, time: noise - clean),
        "The network was held to the noise, and the vectors kept the length one. It says the clean vector, made long.":
        lambda network, vectors, captions, noise, time: F.mse_loss(
            network(add_noise(vectors, noise, time), time, captions), noise),
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
            "F.cosine_similarity(candidates, captions[:1], dim=-1)": "All candidates were held against the first "
            "caption. Each row has its own.",
            "F.normalize(candidates, dim=-1) @ captions.T": "Every candidate was held against every caption. Hold "
            "each against its own row's: captions[:, None].",
            "candidates @ captions.T": "Those are dot products with every caption. Take the cosine with the caption "
            "of the same row.",
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
            "candidates[best]": "candidates[best] takes whole rows, by a number that counts the candidates *in* a "
            "row.",
            "candidates[0, best]": "You took them all from the first row. Each caption has its own; laid end to end, "
            "row i starts at i·k.",
            "candidates[:, best][:, 0]": "The first caption's choice was taken in every row. Each row chooses for "
            "itself: index with two lists.",
            "candidates.gather(1, best[:, None, None])": "gather brings one number for each index. Expand the index "
            "over dim, and drop the axis of length one afterwards.",
            "candidates.gather(1, best[:, None, None]).squeeze(1)": "gather brought one number of each candidate, "
            "the first. Expand the index over dim: .expand(-1, 1, dim).",
            "candidates[torch.arange(len(candidates), device=candidates.device), best][:, None]": "An axis of length "
            "one is left, [captions, 1, dim]. Drop it with .squeeze(1) or [:, 0].",
            "candidates[torch.arange(len(candidates), device=candidates.device), best][0]": "Only the first "
            "caption's choice came back. In a loop, the `return` comes after it.",
            "candidates.amax(dim=1)": "That is the largest in each *number*, put together from several candidates. "
            "Choose a whole one.",
            "candidates.mean(dim=1)": "That is the mean of all candidates. Choose one.",
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
            "table - table.mean(dim=0)": "Each column's own mean was taken away, and with it all that is between "
            "columns. Take away the one mean of the whole table.",
            "table - table.mean(dim=1, keepdim=True)": "Each row's own mean was taken away, and with it all that is "
            "between rows. Take away the one mean of the whole table.",
            "table - table.mean(dim=0) - table.mean(dim=1, keepdim=True)": "The means of rows *and* columns were "
            "taken away. Take away the one mean of the whole table.",
            "table": "The mean of the whole table is still in it, so what all cells have in common counts as "
            "variation.",
            "table - table.mean()": "One mean was taken for all features. Each feature has its own: the mean over dims "
            "(0, 1).",
            "table - table.mean(dim=-1, keepdim=True)": "You took the mean over the features away. It is the mean over "
            "rows and columns."},
        "centred.square().sum()": {
            "table.var(correction=0) * table.numel()": "All variation was measured from one mean of all features. "
            "Each feature has its own.",
            "centred.square().mean()": "A mean for all variation, but sums for its parts. Take sums for both.",
            "centred.abs().sum()": "Those are sizes. Variation is the sum of squares.",
            "table.square().sum()": "All variation was measured from 0. Measure it from the mean: centred."},
        "centred.mean(dim=1).square().sum() * table.shape[1] / everything": {
            "centred.sum(dim=1).square().sum() / everything": "Between rows: squared, a row's sum has the number of "
            "columns in it twice. It is to be there once.",
            "table.mean(dim=1).square().sum() * table.shape[1] / everything": "Between rows: the rows' means were "
            "squared as they are. Take the mean of the table away first.",
            "centred.mean(dim=1).square().sum() * table.shape[1]": "Between rows: that is a sum and no share. Divide "
            "by all variation.",
            "centred.mean(dim=1).abs().sum() * table.shape[1] / everything": "Between rows: sizes were added up. It "
            "is the sum of squares.",
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
            "centred.sum(dim=0).square().sum() / everything": "Between columns: squared, a column's sum has the "
            "number of rows in it twice. It is to be there once.",
            "centred.sum(dim=0).square().sum() * table.shape[0] / everything": "Between columns: a sum in the place "
            "of the mean.",
            "table.mean(dim=0).square().sum() * table.shape[0] / everything": "Between columns: the columns' means "
            "were squared as they are. Take the mean of the table away first.",
            "centred.mean(dim=0).square().sum() * table.shape[0]": "Between columns: that is a sum and no share. "
            "Divide by all variation.",
            "centred.mean(dim=0).abs().sum() * table.shape[0] / everything": "Between columns: sizes were added up. "
            "It is the sum of squares.",
            "centred.mean(dim=0).norm() * table.shape[0] / everything": "Between columns: a root too many. It is the "
            "sum of squares.",
            "centred.mean(dim=0).square().sum() / everything": "Between columns: each column's mean stands in every "
            "row, so its square counts that many times.",
            "centred.mean(dim=0).square().sum() * table.shape[1] / everything": "Between columns: you multiplied by "
            "the number of columns. Each column's mean stands in every *row*.",
            "centred.square().mean(dim=0).sum() * table.shape[0] / everything": "Between columns: first squared, then "
            "mean. That is all variation. First the mean, then its square.",
            "1 - between_rows": "What is not between rows is not all between columns: some is in neither."},
        "return between_rows, between_columns": {
            "return 1 - between_rows, 1 - between_columns": "That is what is left *within* rows and within columns. "
            "Between them is the rest: one less that.",
            "return between_rows, between_columns, 1 - between_rows - between_columns": "Three numbers came back. "
            "Return two, and leave out what is in neither.",
            "return between_rows / (s := between_rows + between_columns), between_columns / s": "Shares of what rows "
            "and columns have together came back. They are to be shares of *all* variation.",
            "return between_rows + between_columns": "Rows and columns were added up. Return both.",
            "return between_columns, between_rows": "Rows and columns came back in the wrong order: rows first.",
            "return 100 * between_rows, 100 * between_columns": "Those are percent. Return shares from 0 to 1.",
            "return between_rows ** 0.5, between_columns ** 0.5": "Those are roots. Shares of the variation have "
            "none.",
            "return between_rows": "Only the rows' share came back. Return both."},
    }, versions={
        "You took each feature's share and then the mean of the shares, so a feature that hardly varies counts as much "
        "as any. Add up over the features first.": rows_first,
        "Variances that divide by one less than the count do not add up: correction=0, in every one of them.":
        lambda table: tuple(table.mean(dim=axis).var(dim=0).sum() / table.var(dim=(0, 1)).sum() for axis in (1, 0)),
        "The means' variances divide by one less than the count, and all variation does not. Both: correction=0.":
        lambda table: tuple(table.mean(dim=axis).var(dim=0).sum() / table.var(dim=(0, 1), correction=0).sum()
                            for axis in (1, 0)),
        "Deviations were compared, and those are roots. Compare variances.":
        lambda table: tuple(table.mean(dim=axis).std(dim=0, correction=0).sum()
                            / table.std(dim=(0, 1), correction=0).sum() for axis in (1, 0)),
    }))  # fmt: skip

# On the sphere


def arc(one: Tensor, other: Tensor) -> Tensor:
    """The angle between two vectors of one length, [batch, 1]."""
    return F.cosine_similarity(one, other, dim=-1).clamp(-1, 1)[:, None].acos()


def by_sines(one: Tensor, other: Tensor, angle: Tensor, part: float) -> Tensor:
    """A slerp by some other angle."""
    mixed = ((1 - part) * angle).sin() * one + (part * angle).sin() * other
    return torch.where(angle > 1e-3, mixed / angle.sin(), one)


def beside(second: Any) -> Any:
    """A slerp by a cosine of one, and a sine of some second vector."""

    def slerp(one: Tensor, other: Tensor, part: float) -> Tensor:
        length, angle = one.norm(dim=-1, keepdim=True), part * arc(one, other)
        a, b = one / length, other / length
        return length * (angle.cos() * a + angle.sin() * second(a, b, (a * b).sum(dim=-1, keepdim=True)))

    return slerp


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
        lambda draw: Case("one of them the same", tensor([[3.0, 4.0, 0.0], [3.0, 0.0, 4.0]]),
                          tensor([[3.0, 4.0, 0.0], [3.0, -4.0, 0.0]]), 0.3),
        lambda draw: Case("an obtuse angle", tensor([[2.0, 0.0]]), tensor([[-1.2, 1.6]]), 0.4),
        lambda draw: Case("of length one", unit(draw(5, 3)), unit(draw(5, 3)), 0.7),
        lambda draw: Case("a small angle, and nearly opposite", tensor([[2.0, 0.0], [2.0, 0.0]]),
                          tensor([[2 * math.cos(w), 2 * math.sin(w)] for w in (0.08, 3.05)]), 0.6)),
    rtol=1e-3, atol=1e-3,
    laws=[keeps_the_length],
    hints=(
        "Draw the triangle of 0, x and the result: the part along y is a side of it. Sides are to each other as the "
        "sines of the angles opposite. For the factor of y that gives sin(tθ)/sin(θ).",
        "angle = cosine.acos(); (((1 − part) · angle).sin() · one + (part · angle).sin() · other) / angle.sin(); where "
        "the angle is next to 0 that is 0/0: take one there, by torch.where."),
    misconceptions=edits({
        "((1 - part) * angle).sin() * one": {
            "one": "one stays whole, at every t. Its factor is sin((1 − t)·θ).",
            "(1 - (part * angle).sin()) * one": "one got what sin(tθ) lacks to 1. On the sphere the two factors do "
            "not add up to 1: it is sin((1 − t)·θ).",
            "(part * angle).cos() * one": "one got cos(tθ). That goes with a partner at a right angle to it; with "
            "other it is sin((1 − t)·θ).",
            "(1 - part) * angle * one": "The sine is missing before one: sin((1 − t)·θ).",
            "(1 - part) * angle.sin() * one": "Before one the part stands outside of the sine. It is the angle that is "
            "shared out: sin((1 − t)·θ).",
            "(part * angle).sin() * one": "one got sin(tθ): at t = 0 nothing is left of it. It gets sin((1 − t)·θ).",
            "(1 - part * angle).sin() * one": "Before one stands sin(1 − tθ). It is sin((1 − t)·θ).",
            "((1 - part) * angle).cos() * one": "A cosine stands before one. It is a sine.",
            "(1 - part) * one": "one fades evenly, along a straight line. On the sphere it is sin((1 − t)·θ)."},
        "(part * angle).sin() * other": {
            "other": "other came in whole, at every t. Its factor is sin(tθ).",
            "part * angle * other": "The sine is missing before other: sin(tθ).",
            "part * angle.sin() * other": "Before other the part stands outside of the sine. It is the angle that is "
            "shared out: sin(tθ).",
            "((1 - part) * angle).sin() * other": "other got sin((1 − t)·θ): at t = 1 nothing is left of it. It gets "
            "sin(tθ).",
            "part * other": "other grows evenly, along a straight line. On the sphere it is sin(tθ).",
            "(part * angle).cos() * other": "A cosine stands before other. It is a sine."},
        "F.cosine_similarity(one, other, dim=-1).clamp(-1, 1)[:, None]": {
            "F.cosine_similarity(one.flatten(), other.flatten(), dim=0).clamp(-1, 1)": "One cosine was taken of all "
            "rows together. Each row has its own."},
        "cosine.acos()": {
            "cosine.cos()": "That is the cosine of a cosine. The angle is its *arc* cosine: acos.",
            "1 - cosine": "One less the cosine is no angle. The angle is the arc cosine: acos.",
            "(1 - cosine ** 2).sqrt()": "That is the sine of the angle. Sines are taken further down, of the angle "
            "itself.",
            "(one - other).norm(dim=-1, keepdim=True)": "That is the straight distance of the two. The angle is the "
            "arc cosine of their cosine.",
            "cosine.acos() / 2": "The angle was halved. Take the whole one.",
            "cosine.acos() * 2": "The angle was doubled. Take it once.",
            "cosine": "The cosine was taken for the angle. The angle is its arc cosine.",
            "cosine.asin()": "That is the arc sine of a cosine. The angle is the arc cosine.",
            "cosine.acos() * (180 / torch.pi)": "The angle is in degrees. Sines want radians, as acos gives them."},
        "torch.where(angle > 1e-3, mixed / angle.sin(), one)": {
            "mixed": "Nothing was divided by sin θ. Divide, and take one where the angle is next to 0.",
            "mixed / angle": "The sum was divided by the angle. Divide by its sine, and take one where that is next "
            "to 0.",
            "mixed / angle.sin() if angle.min() > 1e-3 else one": "One pair of the same vectors decided for the "
            "whole batch. Let each row decide: torch.where.",
            "mixed / (angle.sin() + 1e-3)": "What is added to the sine shortens every result, and the same vectors "
            "still give 0. Use torch.where.",
            "torch.where(one == other, one, mixed / angle.sin())": "one == other compares number by number: two "
            "vectors may share one and still differ. Ask for the angle.",
            "F.normalize(mixed, dim=-1) * math.sqrt(one.shape[-1])": "The length was set to √dim. It is that of one "
            "and other, whatever it is.",
            "torch.where(angle > 1e-3, F.normalize(mixed, dim=-1) * math.sqrt(one.shape[-1]), one)": "Results got "
            "the length √dim. They keep the length of one and other, whatever it is.",
            "torch.where(angle > 0.1, mixed / angle.sin(), one)": "Angles that are small, but not 0, were taken for "
            "none. Take one only where 0/0 is near, below 0.001 say.",
            "mixed / angle.sin()": "Where both are the same, that is 0/0. Take one there.",
            "torch.where(angle > 1e-3, mixed, one)": "The division by sin θ is missing, so the length is not kept.",
            "torch.where(angle > 1e-3, mixed / angle, one)": "You divided by the angle. Divide by its sine.",
            "torch.where(angle > 1e-3, mixed / angle.sin(), 0 * one)": "Where both are the same, nothing came back. "
            "Take one there.",
            "torch.where(angle > 1e-3, F.normalize(mixed, dim=-1), one)": "Results were brought to length one. They "
            "keep the length of one and other."},
    }, versions={
        "That is the straight line, or next to it, as with an angle far too small: half-way it is too short. Go along "
        "the sphere.":
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
        "The angle was taken for a right one. Measure it: each pair has its own.":
        lambda one, other, part: math.cos(part * math.pi / 2) * one + math.sin(part * math.pi / 2) * other,
        "The angle was taken for a right one, where the two differ. Measure it: each pair has its own.":
        lambda one, other, part: torch.where(
            arc(one, other) > 1e-3,
            math.cos(part * math.pi / 2) * one + math.sin(part * math.pi / 2) * other, one),
        "The angle was taken for a right one, and the length mended: the right circle at an uneven pace. Measure the "
        "angle.":
        lambda one, other, part: F.normalize(
            math.cos(part * math.pi / 2) * one + math.sin(part * math.pi / 2) * other, dim=-1)
        * one.norm(dim=-1, keepdim=True),
        "The two factors are those of a right angle, divided by sin θ all the same. They are sin((1 − t)·θ) and "
        "sin(tθ).":
        lambda one, other, part: torch.where(
            arc(one, other) > 1e-3, (math.cos(part * math.pi / 2) * one + math.sin(part * math.pi / 2) * other)
            / arc(one, other).sin(), one),
        "Mixed by roots of the part, the length is kept only at a right angle. Go by the sines of the angle.":
        lambda one, other, part: (1 - part) ** 0.5 * one + part**0.5 * other,
        "Mixed by roots of the part where the two differ. That fits a right angle alone: go by the sines.":
        lambda one, other, part: torch.where(
            arc(one, other) > 1e-3, (1 - part) ** 0.5 * one + part**0.5 * other, one),
        "Part and sine were multiplied, so the sines cancel: that is the straight line. The part belongs inside.":
        lambda one, other, part: ((1 - part) * (sine := arc(one, other).sin()) * one + part * sine * other) / sine,
        "Beyond 1 an arc cosine is nan, and dot products of long vectors are. Divide by the lengths: the cosine.":
        lambda one, other, part: by_sines(one, other, (one * other).sum(dim=-1, keepdim=True).acos(), part),
        "That is other, at every t: the part does not come in.": lambda one, other, part: other,
        "What other has beside one was not brought to length one, before its sine.":
        beside(lambda a, b, dot: b - dot * a),
        "other less one is not at a right angle to one. Take other's shadow on one away, not one itself.":
        beside(lambda a, b, dot: unit(b - a)),
        "A cosine and a sine keep the length where the second vector is at a right angle to the first. other is not.":
        beside(lambda a, b, dot: b),
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
        lambda draw: Case("one picture, half-way", tensor([[2.0**0.5, 0.0]]), tensor([[0.6, -0.8]]),
                          tensor([[0.6, 0.8]]), 0.5),
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
            "F.normalize(after - before, dim=-1) * math.sqrt(128)": "128 numbers are what this lab's vectors have. "
            "Take dim from the vectors you get: pictured.shape[-1].",
            "after": "The target caption itself is the end of your way, and short. The end is the difference, after "
            "− before, of length √dim.",
            "F.normalize(before, dim=-1) * math.sqrt(pictured.shape[-1])": "You go towards the caption before. Go "
            "towards the difference: after − before.",
            "pictured + after - before": "The short difference was added to the long picture, where it hardly "
            "counts. The end of the way is the difference alone.",
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
            "F.normalize(pictured + F.normalize(after - before, dim=-1) * math.sqrt(pictured.shape[-1]), dim=-1) * "
            "math.sqrt(pictured.shape[-1])": "The end of the way is the difference itself. You added the picture to "
            "it, so the way is half as long.",
            "F.normalize(F.normalize(pictured, dim=-1) + after - before, dim=-1) * math.sqrt(pictured.shape[-1])":
            "The end of the way is the difference itself. Picture plus difference is where plain addition ends.",
            "F.normalize(pictured + after - before, dim=-1) * math.sqrt(pictured.shape[-1])": "Picture plus "
            "difference was taken for the end, and next to the long picture the difference is nothing. The end is the "
            "difference alone.",
            "F.normalize(after - before, dim=-1) * pictured.shape[-1]": "The length is √dim, not dim."},
        "slerp(pictured, way, part)": {
            "pictured + slerp(pictured, way, part)": "slerp returns the whole vector, not a step. Do not add the "
            "picture once more.",
            "F.normalize(slerp(pictured, way, part), dim=-1) * pictured.shape[-1]": "The result was given the length "
            "dim. It is to have √dim.",
            "F.normalize((1 - part) * pictured + part * way, dim=-1) * math.sqrt(pictured.shape[-1])": "A straight "
            "line brought back to its length turns at an uneven pace. Turn with slerp.",
            "pictured + after - before": "That is lab 01's sum, and it hardly moves a vector of length √dim. Turn "
            "towards the difference with slerp.",
            "pictured + way": "The whole difference was added, and part is not asked. Turn towards it with slerp.",
            "way": "That is the end of the way, whatever the part. Go a part of it, with slerp.",
            "slerp(before * math.sqrt(pictured.shape[-1]), after * math.sqrt(pictured.shape[-1]), part)": "You went "
            "from caption to caption. Start at the picture, and turn towards the captions' difference.",
            "slerp(before, after, part)": "You went from one caption to the other. Start at the picture, and turn "
            "towards their difference.",
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
        "A difference of length one went into slerp, and the length was mended afterwards: too late. First √dim.":
        lambda pictured, before, after, part: long(sphere(pictured, unit(after - before), part)),
        "The difference went into slerp as short as it is, and the length was mended afterwards: too late. First √dim.":
        lambda pictured, before, after, part: long(sphere(pictured, after - before, part)),
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
            "F.normalize(known.mean(dim=0), dim=-1) * math.sqrt(known.shape[-1])": "The mean was lengthened first. "
            "Take it as it is: only the result is lengthened.",
            "known.mean()": "One number was taken for the mean. Each of the dim numbers has its own: dim=0.",
            "wanted.mean(dim=0)": "That is the mean of the vectors to be squeezed. It is that of the known."},
        "torch.linalg.svd(known - mean, full_matrices=False).Vh[:kept]": {
            "torch.linalg.svd(known - mean, full_matrices=False).Vh[-kept:]": "The last rows of Vh are the narrowest "
            "directions, and from -0 on these are all. Take the first: [:kept].",
            "torch.linalg.svd(known - mean, full_matrices=False).Vh[:kept or None]": "With none kept, -kept: is all "
            "of them. Count from the start: len(mean) - kept, or turn the order round.",
            "torch.linalg.svd((known - mean) / known.std(dim=0), full_matrices=False).Vh[:kept]": "Each number was "
            "brought to the same deviation, and then others spread most. Take the known as they are, less the mean.",
            "torch.linalg.svd((known - mean).T, full_matrices=False).U[:kept]": "With the known turned over the "
            "directions are in U, as its *columns*.",
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
            "mean + (wanted - mean) @ directions.T": "Numbers along the directions were added to the mean. First "
            "make them vectors again: @ directions.",
            "(wanted - mean) @ directions.T": "Numbers along the directions were lengthened. First make them vectors "
            "again: @ directions, plus the mean.",
            "mean + (F.normalize(wanted, dim=-1) - mean) @ directions.T @ directions": "wanted was brought to length "
            "one first. Take the vectors as they come.",
            "mean + (F.normalize(wanted, dim=-1) * math.sqrt(wanted.shape[-1]) - mean) @ directions.T @ directions": ""
            "wanted was brought to √dim first. Take the vectors as they come, and lengthen at the end.",
            "wanted.mean(dim=0) + (wanted - mean) @ directions.T @ directions": "Another mean was added than was "
            "taken away. Both are that of the known.",
            "(wanted - mean) @ directions.T @ directions": "The mean was not added again.",
            "mean + wanted @ directions.T @ directions": "The mean was not taken from the vectors before the shadow.",
            "wanted @ directions.T @ directions": "The vectors' shadow was taken as seen from 0. Take the mean away "
            "first, and add it afterwards.",
            "wanted - (wanted - mean) @ directions.T @ directions": "You dropped these directions and kept the rest."},
        "F.normalize(flat, dim=-1) * math.sqrt(wanted.shape[-1])": {
            "F.normalize(flat, dim=-1) * math.sqrt(128)": "128 numbers are what this lab's vectors have. Take dim "
            "from the vectors you get: wanted.shape[-1].",
            "flat * math.sqrt(wanted.shape[-1])": "All lengths were multiplied by √dim. First bring them to one: "
            "F.normalize.",
            "F.normalize(flat, dim=-1) * math.sqrt(len(known))": "That is the root of how many are known. The length "
            "is the root of the numbers *in* a vector.",
            "flat": "The length was not brought to √dim.",
            "F.normalize(flat, dim=-1)": "The results have length one. It is to be √dim.",
            "F.normalize(flat, dim=-1) * wanted.shape[-1]": "The length is √dim, not dim.",
            "F.normalize(flat, dim=-1) * math.sqrt(len(wanted))": "That is the root of the number of vectors. The "
            "length is the root of the numbers *in* one.",
            "F.normalize(flat, dim=-1) * math.sqrt(kept)": "That is the root of how many were kept. The length "
            "is that of all vectors, √dim.",
            "F.normalize(flat, dim=-1) * wanted.norm(dim=-1, keepdim=True)": "The results got the length of what went "
            "in. They are to have √dim."},
    }, versions={
        "Those are the numbers along the directions. Go back to vectors: @ directions once more, plus the mean.":
        lambda wanted, known, kept: (wanted - known.mean(dim=0)) @ principal(known, kept).T,
        "You took the directions of the vectors that are to be squeezed. Take those of the known.":
        lambda wanted, known, kept: onto(wanted, wanted.mean(dim=0), principal(wanted, kept)),
        "The known were brought to length one first. Take them as they come.":
        lambda wanted, known, kept: onto(wanted, unit(known).mean(dim=0), principal(unit(known), kept)),
        "The known were brought to √dim first. Take them as they come.":
        lambda wanted, known, kept: onto(wanted, long(known).mean(dim=0), principal(long(known), kept)),
        "With none kept, too, one vector is due for each of wanted, [batch, dim]. It needs no case of its own.":
        lambda wanted, known, kept:
        onto(wanted, known.mean(dim=0), principal(known, kept)) if kept else long(known.mean(dim=0)),
        "With none kept the mean came back alone, and as short as it is. It needs no case of its own.":
        lambda wanted, known, kept:
        onto(wanted, known.mean(dim=0), principal(known, kept)) if kept else known.mean(dim=0),
        "With none kept the vectors came back as they were. It is the mean of the known, lengthened.":
        lambda wanted, known, kept: onto(wanted, known.mean(dim=0), principal(known, kept)) if kept else wanted,
        "You blanked rows, which are vectors. To drop directions, blank columns: [:, kept:].":
        lambda wanted, known, kept: long(torch.cat([wanted[:kept], known.mean(dim=0).expand_as(wanted[kept:])])),
        "The numbers along the directions are @ Vh.T, and you took @ Vh, the way back.":
        lambda wanted, known, kept: long(known.mean(dim=0) + (
            (wanted - known.mean(dim=0)) @ torch.linalg.svd(known - known.mean(dim=0)).Vh)[:, :kept]
            @ principal(known, kept)),
        "The mean was not added again, so with none kept nothing is left, and 0/0 is nan.":
        lambda wanted, known, kept: (shadow := (wanted - known.mean(dim=0)) @ principal(known, kept).T @ principal(
            known, kept)) / shadow.norm(dim=-1, keepdim=True) * math.sqrt(wanted.shape[-1]),
    }))  # fmt: skip

CHECKS = exercises("09", {
    "prior_loss": prior_loss, "best_of": best_of, "shares": shares, "slerp": slerp, "pushed": pushed,
    "squeezed": squeezed,
})  # fmt: skip
