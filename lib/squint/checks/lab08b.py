"""Lab 08b, steering diffusion: dropped conditions, guidance, a kernel distance, an upsampler's loss, both ways."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from einops import reduce
from torch import Tensor, tensor

from squint.checks.engine import Case, Check, Draw, drawn, edits, exercises
from squint.checks.networks import asked, constant, drift, per_thing, trains_the_network
from squint.models.diffusion import add_noise, clean_and_noise, velocity

# Without the condition


def dropping(label: str, draw: Draw, batch: int, dim: int, share: float) -> Case:
    """Conditions, nothing, a chance for each."""
    return Case(label, draw(batch, dim), draw(dim), draw(batch).mul(1.5).sigmoid(), share)


def all_or_none(condition: Tensor, nothing: Tensor, chance: Tensor, share: float) -> Tensor:
    """A mistake: one picture's chance decides for all."""
    return nothing.expand_as(condition) if bool((chance < share).any()) else condition


def the_first(condition: Tensor, nothing: Tensor, chance: Tensor, share: float) -> Tensor:
    """A mistake: the first of the batch, whatever chance says."""
    order = torch.arange(len(condition), device=condition.device)
    return torch.where((order < share * len(condition))[:, None], nothing, condition)


WHERE = "torch.where(dropped[:, None], nothing, condition)"
drop_condition = Check(
    cases=drawn(
        lambda draw: Case("three pictures, the second loses its condition",
                          tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), tensor([-1.0, -2.0]),
                          tensor([0.9, 0.1, 0.6]), 0.2),
        lambda draw: dropping("ten pictures", draw, 10, 4, 0.4),
        lambda draw: dropping("as many pictures as numbers", draw, 6, 6, 0.6),
        lambda draw: Case("a share of 0, a chance of exactly 0", draw(3, 2), draw(2), tensor([0.0, 0.3, 0.99]), 0.0),
        lambda draw: Case("a share of 1", draw(3, 2), draw(2), tensor([0.0, 0.5, 0.99]), 1.0),
        lambda draw: dropping("many pictures, a small share", draw, 40, 3, 0.12)),
    hints=(
        "For each picture a yes or no first, [batch]. Then choose between two vectors, row by row.",
        "dropped = chance < share; torch.where takes it with an axis of length one, dropped[:, None], then what is "
        "taken where it is true (nothing), then where it is not (condition)."),
    misconceptions=edits({
        "chance < share": {
            "chance >= 1 - share": "You drop at the upper end of the chances. A chance below the share drops: "
            "chance < share.",
            "torch.full_like(chance, float(chance[0])) < share": "The first picture's chance decides for all. Each has "
            "its own.",
            "torch.rand(len(chance)) < share": "You drew chances of your own. They are given: `chance`.",
            "chance <= share": "A chance of exactly 0 loses its condition even where the share is 0. Take <.",
            "chance < 1 - share": "That is the share which keeps its condition. `share` is of those that lose it.",
            "chance < share / 2": "Only half of the share lost its condition."},
        WHERE: {
            "torch.where(dropped[:, None], condition, nothing)": "The two are swapped: those that were to lose their "
            "condition kept it, and the others lost it.",
            "torch.where(dropped[:, None], torch.zeros_like(nothing), condition)": "Zeros were put in the condition's "
            "place. What stands for no condition is `nothing`, and it need not be zeros.",
            "torch.where(dropped[:, None], nothing, condition / (1 - share + 1e-9))": "What was left was made larger, "
            "as lab 03's dropout does. Whole conditions are dropped here, and the others stay as they are.",
            "torch.where(dropped[:, None], condition + nothing, condition)": "`nothing` was added to the condition. It "
            "takes its place.",
            "torch.where(dropped, nothing, condition)": "The choice was laid along the numbers of a vector. It belongs "
            "to the pictures: dropped[:, None].",
            "condition[~dropped]": "You threw the pictures out. They stay, and learn without their condition."},
    }, versions={
        "If one picture loses its condition, all do. Each has a chance of its own.": all_or_none,
        "You took the first ones of the batch. Which of them it is, `chance` says.": the_first,
        "Every condition was replaced, whatever its chance.":
        lambda condition, nothing, chance, share: nothing.expand_as(condition),
        "You took the first ones of the batch, the share of it rounded down. Which of them it is, `chance` says.":
        lambda condition, nothing, chance, share: torch.cat([
            nothing.expand_as(condition)[:int(share * len(chance))], condition[int(share * len(chance)):]]),
        "You dropped exactly that share of the batch, those with the smallest chances. Each is decided by itself.":
        lambda condition, nothing, chance, share: torch.where(
            (chance.argsort().argsort() < round(share * len(chance)))[:, None], nothing, condition),
        "Every condition was mixed with nothing, the more the larger its chance. Each is to keep all or lose all.":
        lambda condition, nothing, chance, share: condition + chance[:, None] * (nothing - condition),
        "Every condition was mixed with nothing a little. Each keeps all of it or loses all of it.":
        lambda condition, nothing, chance, share: (1 - share) * condition + share * nothing,
        "Every condition was mixed with nothing by its chance. Compare the chance with the share: all or none.":
        lambda condition, nothing, chance, share: chance[:, None] * condition + (1 - chance[:, None]) * nothing,
    }))  # fmt: skip

# Guidance


def listener(noisy: Tensor, time: Tensor, condition: Tensor) -> Tensor:
    """A network that hears its condition, and its time."""
    asked(noisy, time=time, condition=condition)
    heard = condition.mean(dim=1) + 0.3 * condition[:, 0] ** 2 + 0.2 * time
    return 0.5 * noisy * per_thing(1 + time, noisy) + per_thing(heard, noisy)


def sum_of_all(noisy: Tensor, time: Tensor, condition: Tensor) -> Tensor:
    """A network that one can follow by hand."""
    asked(noisy, time=time, condition=condition)
    return noisy + per_thing(condition.sum(dim=1), noisy)


def asking(label: str, draw: Draw, weight: float, *shape: int) -> Case:
    """A network and what it is asked."""
    return Case(label, listener, draw(*shape), draw(shape[0]).sigmoid(), draw(shape[0], 3), draw(3), weight)


guide = Check(
    cases=drawn(
        lambda draw: Case("one point, weight 2", sum_of_all, tensor([[1.0, 0.0]]), tensor([0.5]), tensor([[3.0]]),
                          tensor([1.0]), 2.0),
        lambda draw: asking("weight 0: without the condition", draw, 0.0, 3, 2),
        lambda draw: asking("weight 1: with it", draw, 1.0, 3, 2),
        lambda draw: asking("between both", draw, 0.5, 4, 2),
        lambda draw: asking("as many things as numbers, weight 3", draw, 3.0, 3, 3),
        lambda draw: asking("pictures, weight 5", draw, 5.0, 2, 3, 4, 4)),
    hints=(
        "Two questions to the network. Then a point on the line through both answers: at 0 the one without, at 1 the "
        "one with.",
        "told = network(noisy, time, condition); free = network(noisy, time, nothing.expand_as(condition)). Start at "
        "free, and go weight times the way from free to told."),
    misconceptions=edits({
        "free + weight * (told - free)": {
            "weight * told": "The whole answer with the condition was multiplied. What is stretched is the difference "
            "between both answers.",
            "told - free": "The difference alone came back, and the weight does nothing.",
            "told + weight * free": "Both answers were added. Start at the one without, and go towards the one with.",
            "(told + free) / 2": "That is the mean of both answers, whatever the weight.",
            "2 * told - free": "That is the answer for a weight of 2, whatever the weight.",
            "free + (weight - 1) * (told - free)": "weight − 1 is the way on from the answer with the condition. From "
            "the one without it is weight.",
            "free + max(weight, 1.0) * (told - free)": "Weights below 1 do what 1 does. At 0 the condition is left "
            "out, and between 0 and 1 one is between both answers.",
            "noisy + free + weight * (told - free)": "The velocity was added to the noisy thing. Return the velocity "
            "alone: stepping is the sampler's work.",
            "network(noisy, time, weight * condition)": "You stretched the condition. Stretch the difference between "
            "the two answers.",
            "network(noisy, time, nothing + weight * (condition - nothing))": "You mixed the conditions and asked "
            "once. Ask twice, and mix the answers.",
            "told + weight * (told - free)": "That is the other way of counting, in which 0 is the plain condition. "
            "Here 1 is, and 0 leaves it out: start at the answer without.",
            "told + weight * (free - told)": "Towards the wrong end: your weight 1 leaves the condition out. Start at "
            "the answer without, and go towards the one with.",
            "free - weight * (told - free)": "You went away from the condition. Add the difference.",
            "weight * told - free": "At weight 1 that is the difference alone. What multiplies both answers must add "
            "up to 1.",
            "weight * (told - free)": "That is the difference alone. It is added to the answer without the condition.",
            "free + weight * told": "The whole answer with the condition was added, not the difference between both.",
            "told": "The weight does nothing. Ask a second time, with nothing in the condition's place, and go past.",
            "free + min(weight, 1.0) * (told - free)": "The weight was cut off at 1, so you stay between both answers. "
            "Guidance goes beyond.",
            "free + weight ** 2 * (told - free)": "The weight was squared.",
            "(free + weight * told) / (1 + weight)": "That is a mean of both answers, which never goes beyond the one "
            "with the condition."},
        "nothing.expand_as(condition)": {
            "torch.zeros_like(condition)": "Zeros stood for no condition. The vector for it is `nothing`.",
            "condition + nothing": "`nothing` was added to the condition. It takes its place.",
            "torch.randn_like(condition)": "Random numbers stood for no condition. The vector for it is `nothing`.",
            "condition - nothing": "`nothing` was taken away from the condition. It takes its place.",
            "condition * nothing": "The condition was multiplied by `nothing`. It takes its place."},
        "network(noisy, time, condition)": {
            "network(noisy, time, nothing.expand_as(condition))": "The condition never reached the network: it was "
            "asked with nothing both times.",
            "network(noisy, 0 * time, condition)": "The question with the condition was asked at time 0. Both are "
            "asked at the same time."},
        "network(noisy, time, nothing.expand_as(condition))": {
            "network(noisy, 0 * time, nothing.expand_as(condition))": "The question without the condition was asked at "
            "time 0. Both are asked at the same time.",
            "network(told, time, nothing.expand_as(condition))": "The second question was about the first answer. Both "
            "are about the same noisy thing."},
    }))  # fmt: skip

# A distance between sets


def of_two_sets(label: str, draw: Draw, n: int, m: int, dim: int, moved: float = 0.0) -> Case:
    """Two sets of vectors, the second moved."""
    return Case(label, draw(n, dim), draw(m, dim) + moved)


def twice(label: str, vectors: Tensor) -> Case:
    """One set, given as both."""
    return Case(label, vectors, vectors.clone())


def kernel(x: Tensor, y: Tensor) -> Tensor:
    """The cubic kernel of all pairs."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def off_diagonal(table: Tensor) -> Tensor:
    """The mean of a table, without its diagonal."""
    return (table.sum() - table.diagonal().sum()) / (table.numel() - len(table.diagonal()))


def pairs_left_out(one: Tensor, other: Tensor) -> Tensor:
    """A mistake: leaves out the diagonal between two sets, too."""
    return sum(off_diagonal(kernel(x, x)) for x in (one, other)) - 2 * off_diagonal(kernel(one, other))


def cut_to_one_size(one: Tensor, other: Tensor) -> Tensor:
    """A mistake: uses as many of the larger set as the smaller has."""
    n = min(len(one), len(other))
    one, other = one[:n], other[:n]
    return sum(off_diagonal(kernel(x, x)) for x in (one, other)) - 2 * kernel(one, other).mean()


def of_all_together(one: Tensor, other: Tensor) -> Tensor:
    """A mistake: divides both tables by one number."""
    tables = [kernel(x, x) for x in (one, other)]
    inside = sum(table.sum() - table.diagonal().sum() for table in tables)
    return 2 * inside / sum(len(x) * (len(x) - 1) for x in (one, other)) - 2 * kernel(one, other).mean()


WITHIN = "(table.sum() - table.diagonal().sum()) / (n * (n - 1))"
WHOLE = "within(one) + within(other) - 2 * kernel(one, other).mean()"
kernel_distance = Check(
    cases=drawn(
        lambda draw: Case("two and two vectors of two numbers", tensor([[1.0, 0.0], [0.0, 2.0]]),
                          tensor([[2.0, 0.0], [2.0, 1.0]])),
        lambda draw: of_two_sets("three and five", draw, 3, 5, 4),
        lambda draw: of_two_sets("as many of everything", draw, 4, 4, 4, 0.5),
        lambda draw: of_two_sets("twelve and seven, far apart", draw, 12, 7, 3, 1.0),
        lambda draw: of_two_sets("two and twenty", draw, 2, 20, 8, 0.3),
        lambda draw: twice("a set and itself", draw(6, 5))),
    hints=(
        "A function for the table of all pairs of two sets, and one for the mean of a set's own table without its "
        "diagonal. Then three terms.",
        "kernel(x, y) = (x @ y.T / x.shape[1] + 1) ** 3. Within a set of n: the table's sum less its diagonal's sum, "
        "over n · (n − 1). Between two sets: the plain mean, taken away twice."),
    misconceptions=edits({
        "(x @ y.T / x.shape[1] + 1) ** 3": {
            "(x @ y.T + 1) ** 3 / x.shape[1]": "You divided by d after the power. It is x·y that is divided by d."},
        "x @ y.T / x.shape[1] + 1": {
            "(x @ y.T + 1) / x.shape[1]": "In the kernel the 1 was divided by d, too. Divide x·y by d, and then add 1.",
            "x @ y.T / len(y) + 1": "In the kernel you divided by the number of pictures in the second set. d is how "
            "many numbers a vector has.",
            "x @ y.T / x.numel() + 1": "In the kernel you divided by all the numbers of a set. d is how many a single "
            "vector has.",
            "F.normalize(x, dim=1) @ F.normalize(y, dim=1).T + 1": "The kernel has the cosine. It wants the dot "
            "product, over d.",
            "torch.cdist(x, y) ** 2 / x.shape[1] + 1": "That is the squared distance of vectors. The kernel has their "
            "dot product.",
            "x @ y.T + 1": "The division by d is missing in the kernel: (x·y/d + 1)³.",
            "x @ y.T / x.shape[1]": "The 1 is missing in the kernel: (x·y/d + 1)³.",
            "x @ y.T / len(x) + 1": "In the kernel you divided by the number of pictures. d is how many numbers a "
            "vector has.",
            "x @ y.T / x.shape[1] ** 0.5 + 1": "In the kernel you divided by √d, as attention does. Here it is d.",
            "F.normalize(x, dim=1) @ F.normalize(y, dim=1).T / x.shape[1] + 1": "The vectors' lengths were taken away. "
            "Take them as they are.",
            "torch.cdist(x, y) / x.shape[1] + 1": "That is a distance of vectors. The kernel has their dot product."},
        "** 3": {
            "** 2": "The kernel was squared. Take the third power.",
            "": "The third power is missing. Without it only the means of both sets are compared."},
        WITHIN: {
            "table.mean()": "Each picture was compared with itself, too: a small set looks farther away than a large "
            "one. Leave the diagonal out.",
            "(table.sum() - table.diagonal().sum()) / n ** 2": "The diagonal is left out of the sum but counted in the "
            "division: n · (n − 1) pairs are left.",
            "(table.sum() - table.diagonal().sum()) / (n * (n - 1) / 2)": "You divided by half the number of pairs. "
            "The table has each pair twice: n · (n − 1).",
            "(table.sum() - table.diagonal().sum()) / (n - 1) ** 2": "You divided by (n − 1)². Each of n pictures has "
            "n − 1 others: n · (n − 1).",
            "table.sum() - table.diagonal().sum()": "Within a set the pairs were added up. Take their mean.",
            "table.triu(1).mean()": "Half of the table was added up and divided by all n² places. Of a half there are "
            "n · (n − 1) / 2 pairs.",
            "table.triu().sum() / (n * (n - 1) / 2)": "triu() keeps the diagonal. triu(1) leaves it out.",
            "table.sum() / (n * (n - 1))": "The diagonal is left out of the division but not of the sum.",
            "(table.sum() - table.diagonal().sum()) / n": "You divided by n. There are n · (n − 1) pairs.",
            "(table.sum() - n) / (n * (n - 1))": "You took 1 for each picture beside itself. On the diagonal stands "
            "what the kernel gives: subtract table.diagonal().sum().",
            "table.triu(1).sum() / (n * (n - 1))": "You added up one half of the table and divided by the pairs of "
            "both. Of a half there are n · (n − 1) / 2."},
        WHOLE: {
            "(within(one) + within(other)) / 2 - kernel(one, other).mean()": "That is half of it: both averages in "
            "full, less twice the third.",
            "(within(one) + within(other) - 2 * kernel(one, other).mean()) ** 2": "It was squared once more. The three "
            "terms are the squared discrepancy already.",
            "kernel(one, other).mean()": "Only the pairs between the sets were looked at. Two averages are missing.",
            "within(one) + within(other) - 2 * within(torch.cat([one, other]))": "For the third average the sets were "
            "thrown together, so that pairs of one set are among it.",
            "within(one) + kernel(other, other).mean() - 2 * kernel(one, other).mean()": "In the second set each "
            "picture was compared with itself, too. Leave out both diagonals.",
            "within(one) + kernel(other, other).sum() / (len(other) * (len(other) - 1)) "
            "- 2 * kernel(one, other).mean()":
            "The second set's diagonal is still in its sum.",
            "within(one) + within(other) * len(other) * (len(other) - 1) / len(one) / (len(one) - 1) "
            "- 2 * kernel(one, other).mean()": "The second set's pairs were divided by the number of the first's.",
            "within(one) + within(other) - 2 * kernel(one, other).sum() / (len(one) * (len(one) - 1))": "Between the "
            "sets there are n · m pairs, and none is left out.",
            "within(one) + within(other) - kernel(one, other).mean()": "The pairs between the sets are taken away "
            "twice: sets of one source are to be at 0.",
            "within(one) + within(other) + 2 * kernel(one, other).mean()": "The pairs between the sets were added. "
            "Take them away.",
            "within(one) + within(other)": "The pairs between the sets are missing.",
            "2 * kernel(one, other).mean() - within(one) - within(other)": "The sign is turned round: likeness between "
            "the sets makes the distance smaller.",
            "2 * within(one) - 2 * kernel(one, other).mean()": "The other set was never compared with itself.",
            "(within(one) + within(other) - 2 * kernel(one, other).mean()).abs()": "The sign was dropped. An unbiased "
            "estimate of 0 is below 0 half of the time.",
            "(within(one) + within(other) - 2 * kernel(one, other).mean()).clamp(min=0)": "What is below 0 was cut "
            "off. Then the average over many draws is above 0: a bias again.",
            "(within(one) + within(other) - 2 * kernel(one, other).mean()).clamp(min=1e-12).sqrt()": "You took the "
            "root. The *squared* discrepancy is asked for, which can be unbiased.",
            "1000 * (within(one) + within(other) - 2 * kernel(one, other).mean())": "It was multiplied by 1,000. The "
            "lab does that when it prints."},
    }, versions={
        "From the mean of the table you took the mean of its diagonal. Take sum from sum, and divide by what is left.":
        lambda one, other: sum(kernel(x, x).mean() - kernel(x, x).diagonal().mean() for x in (one, other))
        - 2 * kernel(one, other).mean(),
        "The diagonal was subtracted from every row. Subtract its sum once.":
        lambda one, other: sum((kernel(x, x) - kernel(x, x).diagonal()).sum() / (len(x) * (len(x) - 1))
                               for x in (one, other)) - 2 * kernel(one, other).mean(),
        "Between the sets the diagonal was left out, too. There picture i of one is no more like picture i of the "
        "other than any: every pair counts.": pairs_left_out,
        "You cut the larger set to the size of the smaller. The sizes may differ.": cut_to_one_size,
        "Both sets' pairs were put into one mean, where the larger set counts more. Each has a mean of its own.":
        of_all_together,
    }))  # fmt: skip

# The upsampler's loss


def upsampler(noisy: Tensor, time: Tensor, small: Tensor, spoilt: Tensor) -> Tensor:
    """A network that looks at all its inputs."""
    asked(noisy, time=time, spoilt=spoilt)
    larger = small.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)
    return 0.6 * noisy * per_thing(1 + time, noisy) - larger * per_thing(0.5 + spoilt**2, noisy)


def of_the_small(noisy: Tensor, time: Tensor, small: Tensor, spoilt: Tensor) -> Tensor:
    """A network that says what it is fed."""
    asked(noisy, time=time, spoilt=spoilt)
    return small.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)


def two_sizes(label: str, draw: Draw, batch: int, high: int, wide: int) -> Case:
    """Pictures, and all that is random."""
    small = (batch, 3, high // 2, wide // 2)
    times = draw(batch).sigmoid(), 0.6 * draw(batch).sigmoid()
    return Case(label, upsampler, draw(batch, 3, high, wide), draw(batch, 3, high, wide), times[0], draw(*small),
                times[1])  # fmt: skip


def spoiled_first(
    network: Any, picture: Tensor, noise: Tensor, time: Tensor, small_noise: Tensor, spoilt: Tensor
) -> Tensor:
    """A mistake: the large picture is spoiled, by repeated noise, and then averaged: which is the same; but it is
    shown to the network in that state."""
    larger = small_noise.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)
    picture = add_noise(picture, larger, spoilt)
    small = reduce(picture, "b c (h two) (w too) -> b c h w", "mean", two=2, too=2)
    said = network(add_noise(picture, noise, time), time, small, spoilt)
    return (said - velocity(picture, noise, time)).square().mean()


def one_noise(
    network: Any, picture: Tensor, noise: Tensor, time: Tensor, small_noise: Tensor, spoilt: Tensor
) -> Tensor:
    """A mistake: the small picture is spoiled by the large one's noise, averaged."""
    pair = picture, noise
    small, averaged = (reduce(each, "b c (h two) (w too) -> b c h w", "mean", two=2, too=2) for each in pair)
    said = network(add_noise(picture, noise, time), time, add_noise(small, averaged, spoilt), spoilt)
    return (said - velocity(picture, noise, time)).square().mean()


def right_loss(*given: Any) -> Tensor:
    """The solution's."""
    return upsampler_loss.reference(*given)


REDUCE = 'reduce(picture, "b c (h two) (w too) -> b c h w", "mean", two=2, too=2)'
SAID = "network(add_noise(picture, noise, time), time, small, spoilt)"
upsampler_loss = Check(
    cases=drawn(
        lambda draw: Case("one picture of 2 × 2, and a network that says what it is fed", of_the_small,
                          tensor([[[[1.0, 0.0], [0.5, 0.1]]] * 3]), tensor([[[[0.5, -1.0], [2.0, 0.0]]] * 3]),
                          tensor([0.5]), tensor([[[[2.0]]] * 3]), tensor([0.25])),
        lambda draw: two_sizes("three pictures of 4 × 6", draw, 3, 4, 6),
        lambda draw: two_sizes("two pictures of 8 × 8", draw, 2, 8, 8),
        lambda draw: two_sizes("as many pictures as pixels in a row", draw, 4, 4, 4),
        lambda draw: Case("not spoiled at all", upsampler, draw(2, 3, 4, 4), draw(2, 3, 4, 4), tensor([0.3, 0.8]),
                          draw(2, 3, 2, 2), torch.zeros(2))),
    laws=[trains_the_network(right_loss)],
    hints=(
        "The small picture first: averaged from the clean large one, then spoiled with its own noise at its own time. "
        "All else is lab 08's velocity_loss, for the large picture.",
        "small = add_noise(the means over 2 × 2, small_noise, spoilt); the network sees add_noise(picture, noise, "
        "time), time, small and spoilt; the target is velocity(picture, noise, time); mean of the squares."),
    misconceptions=edits({
        REDUCE: {
            'reduce(picture, "b c (h two) (w too) -> b c h w", "max", two=2, too=2)': "The small picture has the "
            "largest of each block. Take the mean.",
            'reduce(picture, "b c (h two) (w too) -> b c h w", "sum", two=2, too=2)': "The blocks were added up. Take "
            "their mean.",
            "picture[..., ::2, ::2]": "You took every second pixel. The small picture is the mean over blocks of "
            "2 × 2.",
            'reduce(add_noise(picture, noise, time), "b c (h two) (w too) -> b c h w", "mean", two=2, too=2)': "The "
            "small picture was made of the noisy large one. It is made of the clean one, and spoiled with its own "
            "noise.",
            'reduce(picture, "b c (two h) (too w) -> b c h w", "mean", two=2, too=2)': "The blocks are cut wrongly: "
            "you averaged pixels that lie half a picture apart. In einops what varies faster stands last: (h two)."},
        "add_noise(small, small_noise, spoilt)": {
            "(1 - spoilt)[:, None, None, None] * small + spoilt[:, None, None, None] * small_noise": "Small picture "
            "and its noise were mixed along a straight line. add_noise turns from one to the other.",
            "small + spoilt[:, None, None, None] * small_noise": "Noise was put on top of the whole small picture. "
            "add_noise takes some of the picture away, too.",
            "(1 - spoilt).sqrt()[:, None, None, None] * small + spoilt.sqrt()[:, None, None, None] * small_noise":
            "The small picture's time was taken for a variance. add_noise knows how much is left at a time.",
            "spoilt.cos()[:, None, None, None] * small + spoilt.sin()[:, None, None, None] * small_noise": "The small "
            "picture's time was taken for an angle: π/2 is missing. add_noise has it.",
            "add_noise(small, torch.randn_like(small), spoilt)": "You drew noise of your own for the small picture. It "
            "is given: `small_noise`.",
            "small_noise": "The network was fed bare noise for the small picture.",
            "velocity(small, small_noise, spoilt)": "The network was fed a velocity for the small picture. Spoil it "
            "with add_noise.",
            "small": "The small picture was not spoiled, so the network learns to trust every pixel of it.",
            "add_noise(small, small_noise, time)": "The small picture was spoiled by the large one's time. It has a "
            "time of its own, `spoilt`.",
            "small + small_noise": "The noise was added in full. How much of it, `spoilt` says: add_noise.",
            "add_noise(small_noise, small, spoilt)": "Small picture and its noise are swapped: at the time 0 all of it "
            "is picture."},
        SAID: {
            "network(add_noise(picture, noise, spoilt), spoilt, small, spoilt)": "The large picture was noised by the "
            "small one's time, and the network told so. The large one's is `time`.",
            "network(picture + noise, time, small, spoilt)": "The large picture got its noise in full. How much of it, "
            "`time` says.",
            "network(add_noise(picture, small_noise.repeat_interleave(2, 2).repeat_interleave(2, 3), time), time, "
            "small, spoilt)": "Both pictures were noised with the small one's noise. The large one's is `noise`.",
            "network(add_noise(picture, noise, time), time, small, 1 - spoilt)": "The network was told how much of the "
            "small picture's way is left. Tell it the time itself: spoilt.",
            "network(picture, time, small, spoilt)": "The network was shown the large picture without noise, which is "
            "what it is to find.",
            "network(noise, time, small, spoilt)": "The network was shown the bare noise. It is to see the noisy large "
            "picture.",
            "network(add_noise(picture, noise, time), time, small, time)": "The network was told the large picture's "
            "time for both. How far the small one is spoiled is `spoilt`.",
            "network(add_noise(picture, noise, time), spoilt, small, spoilt)": "The network was told the small "
            "picture's time for both. The large one's is `time`.",
            "network(add_noise(picture, noise, time), spoilt, small, time)": "The network was told the two times the "
            "wrong way round.",
            "network(add_noise(picture, noise, time), time, small, 0 * spoilt)": "The network was told that the small "
            "picture is clean. Then it cannot learn how far to trust it.",
            "network(add_noise(picture, noise, spoilt), time, small, spoilt)": "The large picture was noised by the "
            "small one's time."},
        "velocity(picture, noise, time)": {
            "(noise - picture)": "noise − picture is the velocity on a straight line. This network turns.",
            "(picture - noise)": "picture − noise is the way back on a straight line. The target is velocity(picture, "
            "noise, time).",
            "velocity(add_noise(picture, noise, time), noise, time)": "The target was made of the noisy picture. The "
            "velocity is that from the clean one to the noise.",
            "velocity(small, small_noise, spoilt)": "The network was held to the small picture's velocity. It says the "
            "large one's.",
            "small": "The network was held to what it is fed.",
            "velocity(picture, noise, spoilt)": "The target is the velocity at `time`, the large picture's.",
            "velocity(noise, picture, time)": "In the velocity picture and noise are swapped.",
            "noise": "The network was held to the noise. It says a velocity.",
            "picture": "The network was held to the clean picture. It says a velocity.",
            "add_noise(picture, noise, time)": "The network was held to the noisy picture, which it sees."},
        ".square().mean()": {
            ".mean().square()": "The mean was squared. Square first: else errors of both signs cancel.",
            ".square().sum() / len(picture)": "You divided by the number of pictures alone. Take the mean over all "
            "numbers.",
            ".square().mean() / 2": "Half of the mean came back.",
            ".norm()": "That is the length of the error. Take the mean of its squares.",
            ".square().sum()": "The squares were added up. Take their mean.",
            ".abs().mean()": "You took absolute errors. Square them.",
            ".square().mean().sqrt()": "The root does not belong here: the mean of the squares.",
            ".mean()": "The errors were not squared: errors of both signs cancel."},
    }, versions={
        "You spoiled the large picture, too. Only the small one is; the large one is noised at `time` alone.":
        spoiled_first,
        "The small picture was spoiled with the large one's noise, averaged. It has noise of its own: else the network "
        "could tell one from the other.": one_noise,
    }))  # fmt: skip

# Both directions


def times_of(x: Tensor, time: float) -> Tensor:
    """One time, for each thing."""
    return torch.full((len(x),), time, device=x.device)


def always_the_first(network: Any, x: Tensor, times: list[float]) -> Tensor:
    """A mistake: every step begins at the beginning."""
    start, moved = x, x
    for now, then in pairwise(times):
        at = times_of(start, now)
        clean, noise = clean_and_noise(start, network(start, at), at)
        moved = add_noise(clean, noise, times_of(start, then))
    return moved


def by_division(network: Any, x: Tensor, times: list[float]) -> Tensor:
    """A mistake: divides by zero at the time 0."""
    for now, then in pairwise(times):
        at = times_of(x, now)
        clean, _ = clean_and_noise(x, network(x, at), at)
        noise = (x - math.cos(now * math.pi / 2) * clean) / torch.sin(per_thing(at, x) * math.pi / 2)
        x = add_noise(clean, noise, times_of(x, then))
    return x


def straight_on(network: Any, x: Tensor, times: list[float]) -> Tensor:
    """A mistake: Euler's step along the velocity."""
    for now, then in pairwise(times):
        x = x + (then - now) * (math.pi / 2) * network(x, times_of(x, now))
    return x


def as_in_flow_matching(network: Any, x: Tensor, times: list[float]) -> Tensor:
    """A mistake: a straight line, as of lab 08's section 5."""
    for now, then in pairwise(times):
        x = x + (then - now) * network(x, times_of(x, now))
    return x


def velocity_for_noise(network: Any, x: Tensor, times: list[float]) -> Tensor:
    """A mistake: takes what the network says for the noise."""
    for now, then in pairwise(times):
        at = times_of(x, now)
        said = network(x, at)
        clean, _ = clean_and_noise(x, said, at)
        x = add_noise(clean, said, times_of(x, then))
    return x


def told_once(network: Any, x: Tensor, times: list[float]) -> Tensor:
    """A mistake: the network is asked at the beginning only."""
    said = network(x, times_of(x, times[0]))
    for now, then in pairwise(times):
        x = add_noise(*clean_and_noise(x, said, times_of(x, now)), times_of(x, then))
    return x


def guarded(network: Any, x: Tensor, times: list[float]) -> Tensor:
    """A mistake: finds no noise at the time 0, and says 0."""
    for now, then in pairwise(times):
        clean, noise = clean_and_noise(x, network(x, times_of(x, now)), times_of(x, now))
        x = add_noise(clean, noise * (now > 0), times_of(x, then))
    return x


def turning(angle: Any) -> Any:
    """A mistake: another angle, of the number of steps and their ends."""

    def walked(network: Any, x: Tensor, times: list[float]) -> Tensor:
        for now, then in pairwise(times):
            turn = angle(now, then, times)
            x = math.cos(turn) * x + math.sin(turn) * network(x, times_of(x, now))
        return x

    return walked


def one_leap(network: Any, x: Tensor, times: list[float]) -> Tensor:
    """A mistake: from the first time to the last at once."""
    at = times_of(x, times[0])
    return add_noise(*clean_and_noise(x, network(x, at), at), times_of(x, times[-1]))


walk = Check(
    cases=drawn(
        lambda draw: Case("one point, half a turn down", constant, tensor([[2.0, -1.0]]), [1.0, 0.5]),
        lambda draw: Case("from a clean thing up", drift, draw(3, 2), [0.0, 0.3, 0.7, 1.0]),
        lambda draw: Case("from noise down, in steps of different length", drift, draw(3, 2), [1.0, 0.6, 0.5, 0.0]),
        lambda draw: Case("up and down again", drift, draw(2, 5), [0.2, 0.9, 0.4]),
        lambda draw: Case("pictures, up", drift, 2 * draw(2, 3, 4, 4), [0.0, 0.25, 0.5, 0.75, 1.0]),
        lambda draw: Case("as many things as numbers", drift, 3 * draw(4, 4), [1.0, 0.8, 0.2])),
    rtol=1e-3, atol=1e-4,
    hints=(
        "A step asks the network where it stands, at `now`. The answer and x give clean thing and noise; both, put "
        "together at `then`, are the next x.",
        "clean, noise = clean_and_noise(x, network(x, at), at); x = add_noise(clean, noise, times), where times are "
        "`then` for each thing: torch.full_like(at, then)."),
    misconceptions=edits({
        "torch.full((len(x),), now, device=x.device)": {
            "torch.full((len(x),), 1.0 - now, device=x.device)": "Time was turned round: noise is at 1.",
            "torch.full((len(x),), times[0], device=x.device)": "Every step was said to begin at the first time. It "
            "begins where x stands: now.",
            "torch.full((len(x),), times[-1], device=x.device)": "Every step was said to begin at the last time. It "
            "begins where x stands: now.",
            "torch.full((len(x),), now * math.pi / 2, device=x.device)": "A time was turned into an angle. The network "
            "and clean_and_noise take times from 0 to 1.",
            "torch.full((len(x),), (now + then) / 2, device=x.device)": "The network was asked half-way through the "
            "step. Ask where x stands: now."},
        "clean, noise = clean_and_noise(x, network(x, at), at)": {
            "clean, noise = clean_and_noise(x, network(x, torch.full_like(at, then)), at)": "The network was told the "
            "time of the step's end. Tell it where x stands: now.",
            "noise, clean = clean_and_noise(x, network(x, at), at)": "Clean thing and noise are swapped. "
            "clean_and_noise gives the clean thing first.",
            "clean, noise = x, network(x, at)": "x was taken for the clean thing and the velocity for the noise. "
            "clean_and_noise finds both.",
            "clean, noise = clean_and_noise(network(x, at), x, at)": "clean_and_noise takes the noisy thing first, "
            "then the velocity.",
            "clean, noise = clean_and_noise(x, -network(x, at), at)": "The velocity has the wrong sign. In either "
            "direction the network says the same; only the next time differs."},
        "add_noise(clean, noise, torch.full_like(at, then))": {
            "add_noise(clean, noise, at)": "Nothing moves: clean thing and noise are told apart and put together "
            "again at one and the same time. Put them together for `then`.",
            "clean": "The guess of the clean thing came back. Put it together with the noise, for `then`.",
            "add_noise(clean, torch.randn_like(x), torch.full_like(at, then))": "You drew fresh noise. DDIM goes on "
            "with the noise that it found, so the way back leads home.",
            "add_noise(clean.clamp(-1, 1), noise, torch.full_like(at, then))": "The guess was clamped to −1 … 1. Then "
            "clean thing and noise do not make x any more, and the way back is not the way there.",
            "clean + noise": "Clean thing and noise were added in full. How much of each, `then` says: add_noise.",
            "(1 - then) * clean + then * noise": "Clean thing and noise were mixed along a straight line. add_noise "
            "turns from one to the other.",
            "math.sqrt(1 - then) * clean + math.sqrt(then) * noise": "The time was taken for a variance. add_noise "
            "knows how much is left at a time.",
            "math.cos(then) * clean + math.sin(then) * noise": "The next time was taken for an angle: π/2 is missing. "
            "add_noise has it.",
            "x + (then - now) * (noise - clean)": "noise − clean is the velocity on a straight line. Put both together "
            "at the next time: add_noise.",
            "x + (then - now) * noise": "A step's length of noise was put on x. Put clean thing and noise together at "
            "the next time.",
            "clean + math.sin(then * math.pi / 2) * noise": "The clean thing came in full. add_noise takes some of it "
            "away at the next time.",
            "add_noise(clean, noise, torch.full_like(at, times[-1]))": "Every step leapt to the last time. It ends at "
            "then.",
            "add_noise(x, noise, torch.full_like(at, then))": "Noise was put on x, which has some already. It goes on "
            "the clean thing."},
        "pairwise(times)": {
            "pairwise(torch.linspace(times[0], times[-1], len(times)).tolist())": "You made the steps equal. They are "
            "as long as the given times say.",
            "pairwise(torch.linspace(0, 1, len(times)).tolist())": "You walked from 0 to 1 in equal steps, whatever "
            "times were given.",
            "pairwise(torch.linspace(1, 0, len(times)).tolist())": "You walked from 1 to 0 in equal steps, whatever "
            "times were given.",
            "pairwise(sorted(times))": "The times were sorted, so it always walks up to the noise.",
            "pairwise(sorted(times, reverse=True))": "The times were sorted, so it always walks down to the picture.",
            "pairwise(times[1:])": "The first step is missing.",
            "pairwise(times[:-1])": "The last step is missing."},
    }, versions={
        "Every step began at the first x again. Go on from where the last one ended.": always_the_first,
        "The network was asked once, about the first x. Ask it anew at each step.": told_once,
        "At time 0 the noise came out as 0. No division finds any in x, guarded or not; the velocity says it.":
        guarded,
        "The turn lacks π/2: from 0 to 1 it is a quarter turn.": turning(lambda now, then, times: then - now),
        "From 0 to 1 you made half a turn. It is a quarter turn: π/2.":
        turning(lambda now, then, times: (then - now) * math.pi),
        "Every step turned equally far, whatever the times between.":
        turning(lambda now, then, times: (times[-1] - times[0]) / (len(times) - 1) * math.pi / 2),
        "Every step turned equally far, and always down, as if all began at 1 and ended at 0.":
        turning(lambda now, then, times: -math.pi / 2 / (len(times) - 1)),
        "Steps up were left out. It goes in either direction.":
        turning(lambda now, then, times: min(then - now, 0) * math.pi / 2),
        "Steps down were left out. It goes in either direction.":
        turning(lambda now, then, times: max(then - now, 0) * math.pi / 2),
        "At time 0 you divide by zero, and all is lost from there. clean_and_noise says the noise without a "
        "division.": by_division,
        "That is Euler's step along the velocity. DDIM turns: clean thing and noise, put together at the next time.":
        straight_on,
        "That is a step of flow matching. This network says the velocity of a turn.": as_in_flow_matching,
        "The velocity was taken for the noise. clean_and_noise makes the noise of it.": velocity_for_noise,
        "You leapt from the first time to the last at once. Walk through all of them.": one_leap,
    }))  # fmt: skip

CHECKS = exercises("08b", {
    "drop_condition": drop_condition, "guide": guide, "kernel_distance": kernel_distance,
    "upsampler_loss": upsampler_loss, "walk": walk,
})  # fmt: skip
