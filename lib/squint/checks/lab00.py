"""Lab 00: how many numbers a picture is, shrinking, cosine similarity, the nearest neighbour, the bend of a curve."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan, prod
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from squint.checks.engine import Case, Check, edits, exercises

# numbers_per_picture

IN_QUOTES = "You wrote it in quotation marks, which makes it a piece of text. Leave them out, and Python multiplies."
SIZES = "These are the sizes of the axes. How many numbers there are is their product: one number."
PICTURE = "This is a tensor, with all its numbers in it. Say how many they are: one number."
NOT_A_POWER = "In Python ^ is not a power, but something done to the bits of a number. Write 32**2, or 32 * 32."
ALL_AT_ONCE = "You counted all the emoji at once. The first size is how many there are: leave it out."


def without_telling(got: Any, want: int, case: Case) -> str | None:
    """Too few or too many: the answer is one number, so the usual "expected …" would give it away."""
    if isinstance(got, str):
        return IN_QUOTES
    if isinstance(got, tuple) and prod(got[-3:]) == want:
        return SIZES
    if isinstance(got, Tensor) and got.numel() > 1:
        return PICTURE
    try:
        number = float(got)
    except (TypeError, ValueError, RuntimeError):
        number = float("nan")
    if isnan(number):
        return "This should be one number: how many numbers a single picture holds."
    if number == want:
        return None
    if number in (32 ^ 2 * 3, 3 * 32 ^ 2, 32 ^ 2):
        return NOT_A_POWER
    if number % want == 0 and number > 100 * want:
        return ALL_AT_ONCE
    few_or_many = "few" if number < want else "many"
    return f"That is too {few_or_many}. A picture has a height, a width, and three colours at every pixel."


numbers_per_picture = Check(
    cases=lambda seed: [Case("one emoji", 1), Case("a hundred emoji", 100)],
    probe=lambda numbers, pictures: numbers * pictures,
    compare=without_telling,
    hints=(
        "A pixel is not one number but three. How many pixels does one picture have?",
        "The shape says it: [pictures, colours, height, width]. Multiply what belongs to one picture.",
    ),
    misconceptions=edits({
        "3 * 32 * 32": {
            "32**3": "You took 32 three times. The picture is 32 high and 32 wide, with 3 colours at every pixel.",
            '"3 * 32 * 32"': IN_QUOTES,
            "(3, 32, 32)": SIZES,
            "torch.zeros(3, 32, 32)": PICTURE,
            "3 * 32 ^ 2": NOT_A_POWER,
            "9518 * 3 * 32 * 32": ALL_AT_ONCE,
        },
        "= 3 * ": {
            "= ": "You counted the pixels. Each holds three numbers: how red, how green and how blue it is.",
            "= 3 + ": "You added the colours. Every pixel has three numbers: multiply.",
            "= 4 * ": "You counted four numbers a pixel. Here they are three: the transparency is already gone.",
            "= 256 * ": "256 is how many values a colour can take. How many colours has a pixel?",
        },
        "32 * 32": {
            "32": "You counted one side: a row of 32 pixels. There are 32 such rows.",
            "(32 + 32)": "You doubled the side, or added height and width. They fill an area: 32 times 32.",
        },
    }),
)  # fmt: skip

# shrink


def pictures(seed: int) -> list[Case]:
    """Pictures to shrink; no block is even, no picture looks the same turned round."""
    random = torch.Generator().manual_seed(seed)

    def paint(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random)

    on_the_side = rearrange(paint(2, 8, 12, 3), "batch height width channels -> batch channels height width")
    return [
        Case("two 4 × 4 pictures of square numbers", torch.arange(96.0).square().reshape(2, 3, 4, 4) / 100, 2),
        Case("a batch of pictures", paint(5, 3, 6, 6), 2),
        Case("one colour picture", paint(1, 3, 8, 8), 4),
        Case("pictures wider than high", paint(2, 3, 6, 9), 3),
        Case("factor 1, which changes nothing", paint(2, 3, 4, 4), 1),
        Case("all the way down to one pixel", paint(2, 3, 8, 8), 8),
        Case("pictures stored with the channels last in memory", on_the_side, 4),
    ]


def keeps_brightness(shrink: Callable, case: Case) -> str | None:
    """The mean brightness of every picture stays."""
    images, factor = case.args
    before, after = images.mean((2, 3)), torch.as_tensor(shrink(images, factor)).mean((2, 3))
    if torch.allclose(before, after.to(before), rtol=1e-4, atol=1e-5):
        return None
    return "The small picture is brighter or darker than the large one. The mean of its pixels should stay the same."


shrink = Check(
    cases=pictures,
    laws=[keeps_brightness],
    hints=(
        "Lay a grid of squares over the picture, each factor pixels wide and factor high. What one number a channel "
        "stands best for a square?",
        "With einops: cut the height into (rows dy) and the width into (columns dx), let dy and dx be factor, and say "
        "that only rows and columns are left after the arrow. The operation is the mean.",
    ),
    misconceptions=edits({
        'reduce(images, blocks, "mean", dy=factor, dx=factor)': {
            "images[:, :, ::factor, ::factor]":
                "You kept one pixel of every block, its top left one. All of them should count: take the block's mean.",
            "images[:, :, factor - 1 :: factor, factor - 1 :: factor]":
                "You kept the last pixel of every block, at its bottom right. All should count: take the block's mean.",
            "images[:, :, : images.shape[2] // factor, : images.shape[3] // factor]":
                "You cut a corner out of the picture. The whole picture should be in it, only smaller.",
            'F.interpolate(images, scale_factor=1 / factor, mode="bilinear")':
                "You interpolated: bilinear looks at four pixels at most, whatever the block. Take the mean of all.",
            'rearrange(images, "b c (h dy) (w dx) -> b c h w dy dx", dy=factor, dx=factor)':
                "The blocks are cut and none is averaged yet: reduce does both, with the mean.",
            "F.adaptive_avg_pool2d(images, factor)":
                "You shrank the pictures to factor pixels. The factor says how many times smaller they get.",
            "F.avg_pool2d(images, factor, stride=1)": "Your blocks overlap. Each begins where the last one ends.",
            "F.avg_pool2d(images, 2)": "You shrank by 2, whatever the factor. Use factor in the place of the 2.",
            'reduce(images, "b c (h dy) w -> b c h w", "mean", dy=factor)':
                "You averaged up and down only. A block is factor pixels high and factor pixels wide.",
            'reduce(images, "b c h (w dx) -> b c h w", "mean", dx=factor)':
                "You averaged from left to right only. A block is factor pixels high and factor pixels wide.",
        },
        '"mean"': {
            '"sum"': "You added the pixels of a block and did not divide. Use the mean, or divide by (factor * factor) "
            "with the brackets: / factor * factor divides and then multiplies again.",
            '"max"': "You kept the brightest pixel of every block (max pooling). Take the mean of all its pixels.",
        },
        "(rows dy) (columns dx)": {
            "(dy rows) (dx columns)": "You averaged pixels that lie far apart. In einops the order in the brackets "
            "counts: (rows dy) is rows of blocks with dy pixels in each, (dy rows) is something else.",
        },
        "dx=factor)": {
            "dx=factor) * factor": "You divided by factor. A block holds factor × factor pixels, not factor.",
            "dx=factor) / factor**2": "You took the mean and divided by factor². The mean has already divided by it.",
        },
        "-> batch channels": {
            "-> batch 1": "You averaged the colours together, so the picture is grey. Keep the channels axis.",
            "-> batch": "You averaged the colours away, and their axis with them. Write it again after the arrow.",
        },
    }),
)  # fmt: skip

# cosine_similarity


def pairs_of_lists(seed: int) -> list[Case]:
    """Two lists of vectors to compare; never of zeros, which have no direction."""
    random = torch.Generator().manual_seed(seed)

    def draw(n: int, dim: int) -> Tensor:
        return torch.randn(n, dim, generator=random)

    lengths, east = torch.tensor([0.01, 1.0, 100.0])[:, None], torch.tensor([[3.0, 4.0], [5.0, 12.0]])
    return [
        Case("(3, 4) and (5, 12) with three others", east, torch.tensor([[6.0, 8.0], [4.0, -3.0], [1.0, 2.0]])),
        Case("(3, 4) with two others", east[:1], torch.tensor([[6.0, 8.0], [4.0, -3.0]])),
        Case("three vectors with five", draw(3, 4), draw(5, 4)),
        Case("as many on one side as on the other", draw(4, 6), draw(4, 6)),
        Case("three with three, of three numbers each", draw(3, 3), draw(3, 3)),
        Case("one with one", draw(1, 8), draw(1, 8)),
        Case("very short and very long vectors", draw(3, 5) * lengths, draw(3, 5) * lengths.flip(0)),
        Case("vectors that are not contiguous in memory", draw(6, 4).T, draw(6, 3).T),
    ]


def blind_to_length(cosine_similarity: Callable, case: Case) -> str | None:
    """A vector made longer points the same way, so the similarity stays."""
    a, b = case.args
    before, after = (torch.as_tensor(cosine_similarity(x, y)) for x, y in ((a, b), (3 * a, 0.5 * b)))
    if torch.allclose(before, after, rtol=1e-4, atol=1e-5):
        return None
    return "Making a vector longer changed its similarity, though it still points the same way."


def itself_is_one(cosine_similarity: Callable, case: Case) -> str | None:
    """A vector's similarity to itself is 1, and none is larger."""
    similarity = torch.as_tensor(cosine_similarity(case.args[0], case.args[0]))
    if torch.allclose(similarity.diagonal(), torch.ones_like(similarity.diagonal()), atol=1e-4):
        return None if similarity.max() < 1 + 1e-4 else "A similarity came out larger than 1."
    return "A vector's similarity to itself is not 1."


cosine_similarity = Check(
    cases=pairs_of_lists,
    laws=[blind_to_length, itself_is_one],
    hints=(
        "Two arrows may point the same way and differ in length. What would you divide by, so that only the direction "
        "is left?",
        "Divide each row of a by its own length, do the same with b, then take all dot products at once: that is one "
        "matrix product of a with b transposed.",
    ),
    misconceptions=edits({
        "a = a / a.norm(dim=1, keepdim=True)\n    b = b / b.norm(dim=1, keepdim=True)": {
            "a, b = a, b": "This is the dot product: long vectors win, however they point. Divide by both lengths.",
            "a, b = a / a.square().sum(1, keepdim=True), b / b.square().sum(1, keepdim=True)":
                "You divided by the squared lengths. A length is the root of the sum of squares: .norm().",
            "a, b = a / a.abs().sum(1, keepdim=True), b / b.abs().sum(1, keepdim=True)":
                "You divided by the sum of the entries' sizes. A length is the root of the sum of squares: .norm().",
            "a, b = a / a.norm(), b / b.norm()":
                "You divided by the norm of a whole table. Each row has its own: norm(dim=1, keepdim=True).",
            "a, b = a / a.norm(dim=0), b / b.norm(dim=0)":
                "You took the norm down the columns. One vector is one row here: norm(dim=1, keepdim=True).",
            "a, b = (F.normalize(x - x.mean(1, keepdim=True)) for x in (a, b))":
                "You subtracted each vector's mean, which gives the correlation. Leave the vectors as they are.",
        },
        "a = a / a.norm(dim=1, keepdim=True)": {
            "": "You divided by the length of b only. The length of a has to go as well.",
            "a = a / a.norm(dim=1, keepdim=True).square()": "You divided by the squared length of a: take its root.",
        },
        "b = b / b.norm(dim=1, keepdim=True)": {
            "": "You divided by the length of a only. The length of b has to go as well.",
        },
        "return a @ b.T": {
            "return (a * b).sum(dim=1)": "You compared the first with the first, the second with the second. "
            "Compare every row of a with every row of b: the answer is a table [n, m].",
            "return 1 - a @ b.T": "This is the cosine distance, small for what is alike. Leave the 1 − … out.",
            "return b @ a.T": "Your table lies on its side. Rows are the vectors of a, columns those of b: [n, m].",
            "return (a @ b.T).acos()": "You returned the angle. The similarity is its cosine, so leave acos out.",
            "return (a @ b.T).abs()": "You dropped the sign. Vectors that point opposite ways have similarity −1.",
            "return a @ b": "You multiplied a by b as they are. Turn b on its side: b.T.",
        },
    }, versions={
        "This is the distance from point to point. Here the angle between the arrows counts.": torch.cdist,
        "The lengths are right and both lie along the top of the table. Those of a belong down its side, in a column: "
        "a.norm(dim=1, keepdim=True).": lambda a, b: a @ b.T / (a.norm(dim=1) * b.norm(dim=1)),
    }),
)  # fmt: skip

# nearest


def queries_and_memory(seed: int) -> list[Case]:
    """Vectors to look up; no two similarities tie, and the longest vector of the memory is rarely the right one."""
    random = torch.Generator().manual_seed(seed)

    def draw(n: int, dim: int, lengths: bool = False) -> Tensor:
        vectors = torch.randn(n, dim, generator=random)
        return vectors * torch.linspace(0.2, 3, n)[:, None] if lengths else vectors

    memory, arrows = draw(6, 5, lengths=True), torch.tensor([[0.1, 1.0], [4.0, 1.2], [-1.0, 0.2]])
    return [
        Case("two arrows, to the right and up, among three", torch.tensor([[1.0, 0.0], [0.0, 1.0]]), arrows),
        Case("three queries, seven to choose from", draw(3, 4), draw(7, 4, lengths=True)),
        Case("more queries than there is memory", draw(9, 4), draw(4, 4, lengths=True)),
        Case("as many queries as there is memory", draw(6, 5), draw(6, 5, lengths=True)),
        Case("five queries and a memory of five, of five numbers each", draw(5, 5), draw(5, 5, lengths=True)),
        Case("one query", draw(1, 8), draw(12, 8, lengths=True)),
        Case("nothing that is alike: every cosine is negative", torch.tensor([[1.0, 0.0]]),
             torch.tensor([[-2.0, 0.0], [-3.0, 9.0], [-1.0, 2.0]])),
        Case("one thing to choose from", draw(3, 4), draw(1, 4)),
        Case("queries that are in the memory themselves", memory[[4, 1]], memory),
        Case("vectors that are not contiguous in memory", draw(8, 5).T, draw(8, 6).T),
    ]  # fmt: skip


def memory_finds_itself(nearest: Callable, case: Case) -> str | None:
    """What is in the memory finds itself."""
    _, memory = case.args
    found = torch.as_tensor(nearest(memory, memory))
    return None if found.tolist() == list(range(len(memory))) else "A vector of the memory did not find itself."


def is_an_index(nearest: Callable, case: Case) -> str | None:
    """What comes back can be used to pick rows of the memory."""
    queries, memory = case.args
    found = nearest(queries, memory)
    try:
        picked = memory[found].shape
    except Exception:
        return "What came back cannot pick rows: memory[nearest(queries, memory)] failed. Return whole numbers."
    wanted = (len(queries), memory.shape[1])
    return None if picked == wanted else f"memory[nearest(queries, memory)] has shape {tuple(picked)}, not {wanted}."


nearest = Check(
    cases=queries_and_memory,
    laws=[is_an_index, memory_finds_itself],
    hints=(
        "You already have the similarity of every query to everything in the memory. What is still to be done in "
        "each row of that table?",
        "Make the table with cosine_similarity(queries, memory): its rows are the queries. The place of the largest "
        "entry in each row is what argmax gives; say along which axis it should look.",
    ),
    misconceptions=edits({
        ".argmax(dim=1)": {
            ".argmin(dim=1)": "You found the one least alike. Similarity is large for what is alike: argmax.",
            ".argmax(dim=0)": "You looked along the wrong axis: for each thing in the memory you found the best query. "
            "Each query, one row, should look through the memory: argmax(dim=1).",
            ".amax(dim=1)": "You returned how similar the best one is. Return where it is: argmax, not max.",
            ".argmax()": "You found one best of the whole table. Each query has a best of its own: argmax(dim=1).",
            ".argmax(dim=1) + 1": "You counted from one. Python counts the rows from zero.",
            ".argsort(dim=1, descending=True)": "You returned the whole order. Only the first is asked for.",
            ".argmax(dim=1, keepdim=True)": "You returned a column, [n, 1]. A plain list of n is wanted: no keepdim.",
            ".abs().argmax(dim=1)": "You dropped the sign. What points the opposite way is least alike.",
            ".clamp(min=0).argmax(dim=1)": "Where every similarity is negative, nothing beats the 0 you begin with. "
            "Begin with −1 or less, or with the first of the memory.",
            ".argmax(dim=1, keepdim=True).squeeze()": "squeeze() took the queries' axis away as well, where there is "
            "only one query. Leave keepdim out instead, or squeeze dim 1 alone.",
            ".max(dim=1)": "max(dim=1) gives two things, how large and where. Take .indices, or use argmax.",
            "": "This is the table of similarities. Find the place of the largest in each row: argmax(dim=1).",
        },
        "cosine_similarity(queries, memory)": {
            "(queries @ memory.T)": "You compared dot products, so long vectors win. Compare by cosine_similarity.",
            "(-torch.cdist(queries, memory))": "You took the closest point. The nearest here is the one that points "
            "most nearly the same way: compare by cosine_similarity.",
            "cosine_similarity(queries, queries)": "You compared the queries with themselves. Compare with the memory.",
            "(queries @ memory)": "You multiplied the queries by the memory as it is: it takes memory.T, and the "
            "lengths have to go. cosine_similarity(queries, memory) does both.",
        },
        "return ": {
            "return memory[cosine_similarity(queries, memory).argmax(dim=1)]  # ":
                "You returned the neighbours' vectors. Return their places in the memory: whole numbers.",
        },
    }),
)  # fmt: skip

# bend


def curves(seed: int) -> list[Case]:
    """Accuracies and costs to choose from: the best is not always the largest, nor the cheapest the smallest.

    Accuracies and costs stand in different orders, and no accuracy lies near the line, but where it lies upon it.
    """
    flat = {32: 57.5, 16: 57.3, 8: 57.2, 4: 55.7, 2: 45.1}
    price = {32: 21.9, 16: 5.5, 8: 1.4, 4: 0.3, 2: 0.1}
    uneven = {64: 61.0, 32: 70.0, 24: 66.9, 16: 60.0, 12: 67.0, 8: 40.0}
    odd = {8: 2.0, 12: 9.0, 16: 5.0, 24: 7.0, 32: 3.0, 64: 20.0}
    return [
        Case("three sizes", {32: 60.0, 16: 59.0, 8: 20.0}, {32: 16, 16: 4, 8: 1}),
        Case("the curve of this lab", flat, price),
        Case("a share of one half", flat | {4: 30.0, 2: 20.0}, price, 0.5),
        Case("the best is not the largest, and large is not dear", uneven, odd),
        Case("only the best is good enough", uneven, {size: 100 - c for size, c in odd.items()}, 0.99),
        Case("one that keeps just the share", {32: 80.0, 16: 64.0, 8: 40.0, 4: 39.0}, {4: 1, 8: 4, 16: 9, 32: 64}, 0.5),
        Case("the largest is not the best", {32: 45.0, 16: 70.0, 8: 50.0}, {32: 64, 16: 16, 8: 4}),
        Case("the cheapest is the best", {8: 70.0, 16: 50.0, 32: 45.0}, {8: 4, 16: 16, 32: 64}),
        Case("two that are equally good", {32: 60.0, 16: 60.0, 8: 40.0}, {32: 64, 16: 16, 8: 4}),
        Case("an accuracy that comes back", {32: 90.0, 16: 50.0, 8: 88.0, 4: 10.0}, {32: 64, 16: 16, 8: 4, 4: 1}),
        Case("small numbers: right of one", {32: 0.9, 16: 0.88, 8: 0.5}, {32: 16, 16: 4, 8: 1}),
        Case("a single size", {8: 30.0}, {8: 4}),
    ]


def stops_at_the_first(right: dict[int, float], cost: dict[int, float], share: float = 0.95) -> int:
    """From the first size on, as long as it goes well."""
    kept = next(iter(right))
    for size in right:
        if right[size] < share * max(right.values()):
            break
        kept = size
    return kept


def stops_going_down(right: dict[int, float], cost: dict[int, float], share: float = 0.95) -> int:
    """From the dearest down, as long as it goes well."""
    return stops_at_the_first({size: right[size] for size in sorted(cost, key=lambda s: -cost[s])}, cost, share)


bend = Check(
    cases=curves,
    hints=(
        "Two things make a size the one you want. Which of them does the last line take care of, and which is left?",
        "enough is a number: the share times the largest accuracy of all. good keeps the sizes whose accuracy is at "
        "least that number.",
    ),
    misconceptions=edits({
        "share * max(right.values())": {
            "share": "You compared accuracies with the share itself. Enough is that share of the best: share times "
            "the largest accuracy.",
            "100 * share": "You asked for 95 of 100 right. Enough is 95 % of the *best*, whatever that is.",
            "max(right.values()) - share": "You subtracted the share. A share of the best is a product: multiply.",
            "max(right.values()) - (1 - share)": "You took 0.05 off the best, for a share of 95 %. A share of "
            "the best is a product: multiply.",
            "max(right.values()) - 100 * (1 - share)": "You took points off the best, five for a share of 95 %. A "
            "share of the best is a product: multiply.",
            "max(right.values())": "You asked for the best itself. A share of it is enough: multiply by share.",
            "share * max(cost.values())": "You took a share of the largest cost. What should be kept is the accuracy.",
            "share * min(right.values())": "You returned the cheapest of all, good enough or not. Look among the good "
            "ones only, those that keep a share of the best, max(right.values()).",
            "share * right[32]": "You took the accuracy at 32 for the best one. The best need not be at 32: it is the "
            "largest accuracy, max(right.values()).",
            "share * right[max(right)]": "You took the largest size for the best one. The best is the largest "
            "accuracy, max(right.values()).",
            "share * sum(right.values())": "You took a share of all accuracies added up. Take it of the best: max.",
            "share * sum(right.values()) / len(right)": "You took a share of the mean. Take it of the best: max.",
            "0.95 * max(right.values())": "You wrote the 0.95 out. How much is enough is handed over as share.",
            "share * max(right)": "max(right) is the largest size, since a dictionary goes by its keys. The largest "
            "accuracy is max(right.values()).",
        },
        "right[size] >= enough": {
            "right[size] > enough": "A size that keeps just the share keeps enough: at least means >=.",
            "right[size] <= enough": "These are the sizes that do not keep enough. Turn the comparison round.",
            "size >= enough": "You compared the size. Compare how often it is right: right[size].",
            "cost[size] >= enough": "You compared the cost. Compare how often a size is right: right[size].",
        },
        "min(good, key=lambda size: cost[size])": {
            "max(good, key=lambda size: cost[size])": "You returned the dearest of the good ones. Take the cheapest.",
            "max(good, key=lambda size: right[size])": "You returned the best. The cheapest that is good enough is "
            "asked for.",
            "min(good)": "You took the smallest size for the cheapest. What it costs, cost says.",
            "min(cost[size] for size in good)": "You returned what it costs. Return the size.",
            "good": "These are all that are good enough. Return the cheapest of them.",
        },
    }, versions={
        "You went down from the dearest and stopped at the first that fails. A cheaper one may be good enough again: "
        "look at all of them.": stops_going_down,
        "You went from size to size and stopped at the first that fails. One that comes after it may be good enough, "
        "and cheaper: look at all of them.": stops_at_the_first,
    }),
)  # fmt: skip

CHECKS = exercises(
    "00",
    {
        "numbers_per_picture": numbers_per_picture,
        "shrink": shrink,
        "cosine_similarity": cosine_similarity,
        "nearest": nearest,
        "bend": bend,
    },
)
