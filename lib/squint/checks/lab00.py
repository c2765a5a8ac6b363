"""Lab 00: how many numbers a picture is, shrinking by averaging, cosine similarity, the nearest neighbour."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan, prod
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange, reduce, repeat
from torch import Tensor

from squint.checks.engine import Case, Check
from squint.models import tiny

NUMBERS = 3 * 32 * 32


def _so_many_pictures(numbers: object, pictures: int) -> object:
    """How many numbers that many pictures are, if one is so many."""
    return numbers * pictures  # type: ignore[operator]


IN_QUOTES = "You wrote it in quotation marks, which makes it a piece of text. Leave them out, and Python multiplies."
SIZES = "These are the sizes of the axes. How many numbers there are is their product: one number."
PICTURE = "This is a tensor, with all its numbers in it. Say how many they are: one number."
NOT_A_POWER = "In Python ^ is not a power, but something done to the bits of a number. Write 32**2, or 32 * 32."
ALL_AT_ONCE = "You counted all the emoji at once. The first size is how many there are: leave it out."


def _without_telling(got: Any, want: int, case: Case) -> str | None:
    """Too few or too many: the answer is one number, so the usual "expected …" would give it away."""
    if isinstance(got, str):
        return IN_QUOTES
    if isinstance(got, tuple) and prod(got[-3:]) == NUMBERS:
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
    kind="value",
    reference=NUMBERS,
    cases=lambda seed: [Case("one emoji", 1), Case("a hundred emoji", 100)],
    probe=_so_many_pictures,
    compare=_without_telling,
    misconceptions={
        "You counted the pixels. Each of them holds three numbers: how red, how green and how blue it is.": 32 * 32,
        "You counted one side: a row of 32 pixels, three numbers each. There are 32 such rows.": 3 * 32,
        "You added where the sizes multiply: the pixels fill an area, and each of them has three colours.": 3 + 32 + 32,
        "You counted four numbers a pixel. Here there are three: red, green, blue. The transparency is already gone.": 4
        * 32
        * 32,
        "You took 32 three times. The picture is 32 high and 32 wide, and has 3 colours at every pixel.": 32**3,
        IN_QUOTES: "3 * 32 * 32",
        SIZES: (3, 32, 32),
        PICTURE: torch.zeros(3, 32, 32),
        NOT_A_POWER: 3 * 32 ^ 2,
        ALL_AT_ONCE: 9518 * 3 * 32 * 32,
    },
    hints=(
        "A pixel is not one number but three. How many pixels does one picture have?",
        "The shape says it: [pictures, colours, height, width]. Multiply what belongs to one picture.",
        "numbers_per_picture = 3 * 32 * 32",
    ),
    also_right=[torch.tensor(3072), 3 * 32**2, 3072.0],
)


BLOCKS = "batch channels (rows dy) (columns dx) -> batch channels rows columns"


def _pictures(seed: int) -> list[Case]:
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
        Case("float64", paint(2, 3, 8, 8).double(), 2),
    ]


def _keeps_brightness(shrink: Callable, case: Case) -> str | None:
    """The mean brightness of every picture stays."""
    images, factor = case.args
    before, after = images.mean((2, 3)), _tensor(shrink(images, factor)).mean((2, 3))
    if torch.allclose(before, after.to(before.dtype), rtol=1e-4, atol=1e-5):
        return None
    return "The small picture is brighter or darker than the large one. The mean of its pixels should stay the same."


def _keeps_plain(shrink: Callable, case: Case) -> str | None:
    """A picture of one colour stays that colour."""
    images, factor = case.args
    small = _tensor(shrink(torch.full_like(images, 0.25), factor))
    return (
        None if torch.allclose(small, torch.full_like(small, 0.25)) else "A picture of one colour changed its colour."
    )


def _tensor(value: object) -> Tensor:
    return torch.as_tensor(value)


def _every_kth(images: Tensor, factor: int) -> Tensor:
    return images[:, :, ::factor, ::factor]


def _middle_of_block(images: Tensor, factor: int) -> Tensor:
    return images[:, :, factor // 2 :: factor, factor // 2 :: factor]


def _sum(images: Tensor, factor: int) -> Tensor:
    return reduce(images, BLOCKS, "sum", dy=factor, dx=factor)


def _brightest(images: Tensor, factor: int) -> Tensor:
    return F.max_pool2d(images, factor)


def _darkest(images: Tensor, factor: int) -> Tensor:
    return -F.max_pool2d(-images, factor)


def _rows_only(images: Tensor, factor: int) -> Tensor:
    return reduce(images, "batch channels (rows dy) columns -> batch channels rows columns", "mean", dy=factor)


def _columns_only(images: Tensor, factor: int) -> Tensor:
    return reduce(images, "batch channels rows (columns dx) -> batch channels rows columns", "mean", dx=factor)


def _halfway(images: Tensor, factor: int) -> Tensor:
    return _sum(images, factor) / factor


def _far_apart(images: Tensor, factor: int) -> Tensor:
    return reduce(
        images, "batch channels (dy rows) (dx columns) -> batch channels rows columns", "mean", dy=factor, dx=factor
    )


def _runs_of_a_row(images: Tensor, factor: int) -> Tensor:
    batch, channels, height, width = images.shape
    return images.reshape(batch, channels, height // factor, width // factor, factor * factor).mean(-1)


def _grey(images: Tensor, factor: int) -> Tensor:
    return reduce(images, "batch c (rows dy) (columns dx) -> batch 1 rows columns", "mean", dy=factor, dx=factor)


def _corner(images: Tensor, factor: int) -> Tensor:
    return images[:, :, : images.shape[2] // factor, : images.shape[3] // factor]


def _bilinear(images: Tensor, factor: int) -> Tensor:
    size = (images.shape[2] // factor, images.shape[3] // factor)
    return F.interpolate(images, size=size, mode="bilinear")


def _to_that_size(images: Tensor, factor: int) -> Tensor:
    return F.adaptive_avg_pool2d(images, factor)


def _overlap(images: Tensor, factor: int) -> Tensor:
    return F.avg_pool2d(images, factor, stride=1)


def _blurred(images: Tensor, factor: int) -> Tensor:
    small = tiny.shrink(images, factor)
    return repeat(small, "batch channels rows columns -> batch channels (rows dy) (columns dx)", dy=factor, dx=factor)


def _rounded(images: Tensor, factor: int) -> Tensor:
    return tiny.shrink(images, factor).round()


def _last_of_block(images: Tensor, factor: int) -> Tensor:
    return images[:, :, factor - 1 :: factor, factor - 1 :: factor]


def _last_and_divided(images: Tensor, factor: int) -> Tensor:
    return _last_of_block(images, factor) / factor**2


def _median(images: Tensor, factor: int) -> Tensor:
    blocks = "batch channels (rows dy) (columns dx) -> batch channels rows columns (dy dx)"
    return rearrange(images, blocks, dy=factor, dx=factor).median(-1).values


def _divided_twice(images: Tensor, factor: int) -> Tensor:
    return tiny.shrink(images, factor) / factor**2


def _divided_twice_by_factor(images: Tensor, factor: int) -> Tensor:
    return tiny.shrink(images, factor) / factor


def _short_blocks(images: Tensor, factor: int) -> Tensor:
    """The mean of what `range(factor - 1)` leaves of a block; of nothing, it is not a number."""
    blocks = "batch channels (rows dy) (columns dx) -> batch channels rows columns dy dx"
    return rearrange(images, blocks, dy=factor, dx=factor)[..., : factor - 1, : factor - 1].mean((-1, -2))


def _short_stack(images: Tensor, factor: int) -> Tensor:
    """The same, and an error where nothing is left of a block."""
    return torch.stack(
        [images[:, :, dy::factor, dx::factor] for dy in range(factor - 1) for dx in range(factor - 1)]
    ).mean(0)


def _short_sums(images: Tensor, factor: int) -> Tensor:
    return _short_blocks(images, factor).nan_to_num() * (factor - 1) ** 2 / factor**2


def _short_sums_from_nothing(images: Tensor, factor: int) -> Tensor | int:
    """The same, where the sum began as a plain 0 and a factor of 1 leaves it so."""
    return _short_sums(images, factor) if factor > 1 else 0


def _last_blocks_missing(images: Tensor, factor: int) -> Tensor:
    small = tiny.shrink(images, factor)
    small[:, :, -1], small[:, :, :, -1] = 0, 0
    return small


def _steps_of_one(images: Tensor, factor: int) -> Tensor:
    rows, columns = images.shape[2] // factor, images.shape[3] // factor
    return _overlap(images, factor)[:, :, :rows, :columns]


def _across_blocks(images: Tensor, factor: int) -> Tensor:
    return reduce(images, "batch channels (rows dy) (columns dx) -> batch channels dy dx", "mean", dy=factor, dx=factor)


def _always_by_two(images: Tensor, factor: int) -> Tensor:
    return F.avg_pool2d(images, 2)


def _whole_picture(images: Tensor, factor: int) -> Tensor:
    return images.mean((2, 3), keepdim=True)


def _enlarged(images: Tensor, factor: int) -> Tensor:
    return repeat(images, "batch channels rows columns -> batch channels (rows dy) (columns dx)", dy=factor, dx=factor)


def _up_to_255(images: Tensor, factor: int) -> Tensor:
    return tiny.shrink(images, factor) * 255


def _one_block_at_a_time(images: Tensor, factor: int) -> Tensor:
    batch, channels, height, width = images.shape
    small = images.new_empty(batch, channels, height // factor, width // factor)
    for row in range(height // factor):
        for column in range(width // factor):
            top, left = row * factor, column * factor
            small[:, :, row, column] = images[:, :, top : top + factor, left : left + factor].mean((2, 3))
    return small


def _numpy_blocks(images: Tensor, factor: int) -> object:
    batch, channels, height, width = images.shape
    return images.cpu().numpy().reshape(batch, channels, height // factor, factor, width // factor, factor).mean((3, 5))


def _pooled(images: Tensor, factor: int) -> Tensor:
    return F.avg_pool2d(images, kernel_size=factor)


def _interpolated_by_area(images: Tensor, factor: int) -> Tensor:
    return F.interpolate(images, scale_factor=1 / factor, mode="area")


def _added_up(images: Tensor, factor: int) -> Tensor:
    corners = [images[:, :, dy::factor, dx::factor] for dy in range(factor) for dx in range(factor)]
    return torch.stack(corners).mean(0)


shrink = Check(
    reference=tiny.shrink,
    cases=_pictures,
    properties=[_keeps_brightness, _keeps_plain],
    misconceptions={
        "You kept one pixel of every block, its top left one, and threw the others away. All of them should count: "
        "take the block's mean.": _every_kth,
        "You kept the pixel in the middle of every block and threw the others away. All of them should count: take the "
        "block's mean.": _middle_of_block,
        "You added the pixels of a block and did not divide by how many they are, so the picture comes out far too "
        "bright. Use the mean, or divide by (factor * factor), with the brackets: / factor * factor divides and then "
        "multiplies again.": _sum,
        "You kept the brightest pixel of every block (max pooling). Take the mean of all its pixels.": _brightest,
        "You kept the darkest pixel of every block. Take the mean of all its pixels.": _darkest,
        "You averaged up and down only: the picture is as wide as before. A block is factor pixels high and factor "
        "pixels wide.": _rows_only,
        "You averaged from left to right only: the picture is as high as before. A block is factor pixels high and "
        "factor pixels wide.": _columns_only,
        "You divided by factor. A block holds factor × factor pixels, not factor.": _halfway,
        "You averaged pixels that lie far apart. In einops the order in the brackets counts: (rows dy) is rows of "
        "blocks with dy pixels in each, (dy rows) is something else.": _far_apart,
        "You averaged runs of factor × factor pixels along a row. A block is a square: cut the height and the width, "
        "each in parts of factor.": _runs_of_a_row,
        "You averaged the colours together, so the picture is grey. Keep the channels axis as it is.": _grey,
        "You cut a corner out of the picture. The whole picture should be in it, only smaller.": _corner,
        "You interpolated: bilinear looks at four pixels at most, however large the block is. Take the mean of "
        "them all.": _bilinear,
        "You shrank the pictures to factor pixels. The factor says how many times smaller they get.": _to_that_size,
        "Your blocks overlap. Each begins where the last one ends: move on by factor.": _overlap,
        "You blurred the picture and left it as large as it was. One block becomes one pixel.": _blurred,
        "You rounded the means to whole numbers. Brightness runs from 0 to 1 here: leave the fractions.": _rounded,
        "You kept the last pixel of every block, the one at its bottom right, and threw the others away. All of them "
        "should count: take the block's mean.": _last_of_block,
        "Only the last pixel of a block is left in the sum. Add each one to those before: += instead of =.": (
            _last_and_divided
        ),
        "You took the median, the brightness in the middle of the block's list. Take the mean.": _median,
        "You took the mean and then divided by factor × factor. The mean has already divided by it.": _divided_twice,
        "You took the mean and then divided by factor. The mean has already divided by all it should.": (
            _divided_twice_by_factor
        ),
        "You left the last row and the last column of every block out. range(factor) already ends at factor − 1, and "
        "a slice from start to start + factor leaves its end out, so there is nothing to subtract.": _short_blocks,
        "You left the last row and the last column of every block out, and with a factor of 1 nothing is left. "
        "range(factor) already ends at factor − 1: there is nothing to subtract.": _short_stack,
        "You left the last row and the last column of every block out of the sum, and divided by factor × factor all "
        "the same. range(factor) already ends at factor − 1: there is nothing to subtract.": _short_sums,
        "You left the last row and the last column of every block out of the sum, and with a factor of 1 nothing is "
        "added at all. range(factor) already ends at factor − 1: there is nothing to subtract.": (
            _short_sums_from_nothing
        ),
        "The last row and the last column of the small picture are empty. range(height // factor) already ends one "
        "before it: there is nothing to subtract.": _last_blocks_missing,
        "Your blocks overlap: each begins one pixel after the last one. Block number row begins at row * factor.": (
            _steps_of_one
        ),
        "You averaged over the blocks, and kept the places inside a block. It is the other way round: the rows and "
        "columns of blocks stay, dy and dx go.": _across_blocks,
        "You shrank by 2, whatever the factor. Use factor in the place of the 2.": _always_by_two,
        "You averaged the whole picture. Each block has a mean of its own.": _whole_picture,
        "You made the pictures larger. One block becomes one pixel.": _enlarged,
        "You stretched the brightness to 255. Here it runs from 0 to 1: leave it so.": _up_to_255,
    },
    hints=(
        "Lay a grid of squares over the picture, each factor pixels wide and factor high. What one number a channel "
        "stands best for a square?",
        "With einops: cut the height into (rows dy) and the width into (columns dx), let dy and dx be factor, and say "
        "that only rows and columns are left after the arrow. The operation is the mean.",
        """
        return reduce(
            images, "batch channels (rows dy) (columns dx) -> batch channels rows columns", "mean", dy=factor, dx=factor
        )
        """,
    ),
    also_right=[_one_block_at_a_time, _numpy_blocks, _pooled, _interpolated_by_area, _added_up],
)


def _pairs_of_lists(seed: int) -> list[Case]:
    """Two lists of vectors to compare; never of zeros, which have no direction."""
    random = torch.Generator().manual_seed(seed)

    def draw(n: int, dim: int) -> Tensor:
        return torch.randn(n, dim, generator=random)

    lengths = torch.tensor([0.01, 1.0, 100.0])[:, None]
    return [
        Case(
            "(3, 4) and (5, 12) with three others",
            torch.tensor([[3.0, 4.0], [5.0, 12.0]]),
            torch.tensor([[6.0, 8.0], [4.0, -3.0], [1.0, 2.0]]),
        ),
        Case("(3, 4) with two others", torch.tensor([[3.0, 4.0]]), torch.tensor([[6.0, 8.0], [4.0, -3.0]])),
        Case("three vectors with five", draw(3, 4), draw(5, 4)),
        Case("as many on one side as on the other", draw(4, 6), draw(4, 6)),
        Case("three with three, of three numbers each", draw(3, 3), draw(3, 3)),
        Case("one with one", draw(1, 8), draw(1, 8)),
        Case("very short and very long vectors", draw(3, 5) * lengths, draw(3, 5) * lengths.flip(0)),
        Case("vectors that are not contiguous in memory", draw(6, 4).T, draw(6, 3).T),
        Case("float64", draw(3, 5).double(), draw(2, 5).double()),
    ]


def _blind_to_length(cosine_similarity: Callable, case: Case) -> str | None:
    """A vector made longer points the same way, so the similarity stays."""
    a, b = case.args
    before, after = (_tensor(cosine_similarity(x, y)) for x, y in ((a, b), (3 * a, 0.5 * b)))
    if torch.allclose(before, after, rtol=1e-4, atol=1e-5):
        return None
    return "Making a vector longer changed its similarity, though it still points the same way."


def _symmetric(cosine_similarity: Callable, case: Case) -> str | None:
    """a is as similar to b as b is to a."""
    a, b = case.args
    there, back = _tensor(cosine_similarity(a, b)), _tensor(cosine_similarity(b, a))
    return None if torch.allclose(there, back.T, atol=1e-5) else "a is less similar to b than b is to a."


def _itself_is_one(cosine_similarity: Callable, case: Case) -> str | None:
    """A vector's similarity to itself is 1, and none is larger."""
    similarity = _tensor(cosine_similarity(case.args[0], case.args[0]))
    if torch.allclose(similarity.diagonal(), torch.ones_like(similarity.diagonal()), atol=1e-4):
        return None if similarity.max() < 1 + 1e-4 else "A similarity came out larger than 1."
    return "A vector's similarity to itself is not 1."


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T


def _first_normed(a: Tensor, b: Tensor) -> Tensor:
    return F.normalize(a, dim=1) @ b.T


def _second_normed(a: Tensor, b: Tensor) -> Tensor:
    return a @ F.normalize(b, dim=1).T


def _squared_norms(a: Tensor, b: Tensor) -> Tensor:
    return (a / a.square().sum(1, keepdim=True)) @ (b / b.square().sum(1, keepdim=True)).T


def _sums_of_sizes(a: Tensor, b: Tensor) -> Tensor:
    return (a / a.abs().sum(1, keepdim=True)) @ (b / b.abs().sum(1, keepdim=True)).T


def _norm_of_columns(a: Tensor, b: Tensor) -> Tensor:
    return (a / a.norm(dim=0)) @ (b / b.norm(dim=0)).T


def _lengths_lying_down(a: Tensor, b: Tensor) -> Tensor:
    return (a / a.norm(dim=1)) @ (b / b.norm(dim=1)).T


def _lengths_multiplied_lying_down(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T / (a.norm(dim=1) * b.norm(dim=1))


def _norm_of_all(a: Tensor, b: Tensor) -> Tensor:
    return (a / a.norm()) @ (b / b.norm()).T


def _row_by_row(a: Tensor, b: Tensor) -> Tensor:
    return F.cosine_similarity(a, b, dim=1)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return 1 - tiny.cosine_similarity(a, b)


def _euclid(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a, b)


def _turned(a: Tensor, b: Tensor) -> Tensor:
    return tiny.cosine_similarity(b, a)


def _angle(a: Tensor, b: Tensor) -> Tensor:
    return tiny.cosine_similarity(a, b).clamp(-1, 1).acos()


def _degrees(a: Tensor, b: Tensor) -> Tensor:
    return _angle(a, b).rad2deg()


def _absolute(a: Tensor, b: Tensor) -> Tensor:
    return tiny.cosine_similarity(a, b).abs()


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    return tiny.cosine_similarity(a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True))


def _norms_added(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T / (a.norm(dim=1)[:, None] + b.norm(dim=1)[None, :])


def _softmaxed(a: Tensor, b: Tensor) -> Tensor:
    return tiny.cosine_similarity(a, b).softmax(dim=1)


def _no_transpose(a: Tensor, b: Tensor) -> Tensor:
    return F.normalize(a, dim=1) @ F.normalize(b, dim=1)


def _dot_no_transpose(a: Tensor, b: Tensor) -> Tensor:
    return a @ b


def _wrong_one_transposed(a: Tensor, b: Tensor) -> Tensor:
    return F.normalize(a, dim=1).T @ F.normalize(b, dim=1)


def _entry_by_entry(a: Tensor, b: Tensor) -> Tensor:
    return a * b


def _lengths_both_standing(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T / (a.norm(dim=1, keepdim=True) * b.norm(dim=1, keepdim=True))


def _brackets_forgotten(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T / a.norm(dim=1, keepdim=True) * b.norm(dim=1)


def _norm_one(a: Tensor, b: Tensor) -> Tensor:
    return (a / a.norm(1)) @ (b / b.norm(1)).T


def _sums(a: Tensor, b: Tensor) -> Tensor:
    return (a / a.sum(1, keepdim=True)) @ (b / b.sum(1, keepdim=True)).T


def _largest_entries(a: Tensor, b: Tensor) -> Tensor:
    return (a / a.amax(1, keepdim=True)) @ (b / b.amax(1, keepdim=True)).T


def _columns_multiplied(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T / (a.norm(dim=0) * b.norm(dim=0))


def _columns_crossed(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T / torch.outer(a.norm(dim=0), b.norm(dim=0))


def _rows_of_the_table(a: Tensor, b: Tensor) -> Tensor:
    return F.normalize(a @ b.T, dim=1)


def _root_of_the_root(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T / torch.outer(a.norm(dim=1), b.norm(dim=1)).sqrt()


def _times_the_lengths(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T * torch.outer(a.norm(dim=1), b.norm(dim=1))


def _root_of_the_mean(a: Tensor, b: Tensor) -> Tensor:
    return tiny.cosine_similarity(a, b) * a.shape[1]


def _mean_product(a: Tensor, b: Tensor) -> Tensor:
    return tiny.cosine_similarity(a, b) / a.shape[1]


def _first_with_itself(a: Tensor, b: Tensor) -> Tensor:
    return tiny.cosine_similarity(a, a)


def _second_with_itself(a: Tensor, b: Tensor) -> Tensor:
    return tiny.cosine_similarity(b, b)


def _in_one_row(a: Tensor, b: Tensor) -> Tensor:
    return tiny.cosine_similarity(a, b).flatten()


def _cosine_of_the_product(a: Tensor, b: Tensor) -> Tensor:
    return torch.cos(a @ b.T)


def _squared(a: Tensor, b: Tensor) -> Tensor:
    return tiny.cosine_similarity(a, b).square()


def _never_negative(a: Tensor, b: Tensor) -> Tensor:
    return tiny.cosine_similarity(a, b).clamp(min=0)


def _from_zero_to_one(a: Tensor, b: Tensor) -> Tensor:
    return (1 + tiny.cosine_similarity(a, b)) / 2


def _two_decimals(a: Tensor, b: Tensor) -> Tensor:
    return tiny.cosine_similarity(a, b).round(decimals=2)


def _rows_multiplied(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(1)


def _along_the_list(a: Tensor, b: Tensor) -> Tensor:
    return F.cosine_similarity(a[:, None], b[None], dim=1)


def _one_pair_at_a_time(a: Tensor, b: Tensor) -> list[list[float]]:
    def cosine(x: Tensor, y: Tensor) -> float:
        return float((x * y).sum() / ((x**2).sum().sqrt() * (y**2).sum().sqrt()))

    return [[cosine(x, y) for y in b] for x in a]


def _by_broadcasting(a: Tensor, b: Tensor) -> Tensor:
    return F.cosine_similarity(a[:, None, :], b[None, :, :], dim=-1)


def _by_einsum(a: Tensor, b: Tensor) -> Tensor:
    return torch.einsum("nd,md->nm", a, b) / torch.outer(a.norm(dim=1), b.norm(dim=1))


def _by_distance_of_unit_vectors(a: Tensor, b: Tensor) -> Tensor:
    return 1 - torch.cdist(F.normalize(a.double(), dim=1), F.normalize(b.double(), dim=1)).square() / 2


cosine_similarity = Check(
    reference=tiny.cosine_similarity,
    cases=_pairs_of_lists,
    properties=[_blind_to_length, _symmetric, _itself_is_one],
    misconceptions={
        "This is the dot product: long vectors win, whichever way they point. Divide by the length of a and by the "
        "length of b.": _dot,
        "You divided by the length of a only. The length of b has to go as well.": _first_normed,
        "You divided by the length of b only. The length of a has to go as well.": _second_normed,
        "You divided by the squared lengths. The length is the square root of the sum of squares: .norm() takes the "
        "root for you.": _squared_norms,
        "You divided by the sum of the entries' sizes. The length of a vector is the root of its sum of squares: "
        ".norm().": _sums_of_sizes,
        "You took the norm down the columns. One vector is one row here: norm(dim=1, keepdim=True).": _norm_of_columns,
        "The lengths are right and lie the wrong way. They should stand in a column, one beside each row: "
        "norm(dim=1, keepdim=True).": _lengths_lying_down,
        "The lengths are right and both lie along the top of the table. Those of a belong down its side, in a column: "
        "a.norm(dim=1, keepdim=True).": _lengths_multiplied_lying_down,
        "You divided by the norm of the whole table, one number for all. Each row has a length of its own: "
        "norm(dim=1, keepdim=True).": _norm_of_all,
        "You compared the first with the first, the second with the second, and so on. Compare every row of a with "
        "every row of b: the answer is a table [n, m].": _row_by_row,
        "This is the cosine distance, small for what is alike. Leave the 1 − … out.": _distance,
        "This is the distance from point to point. Cosine similarity asks for the angle between the arrows.": _euclid,
        "Your table lies on its side. Rows are the vectors of a, columns those of b: [n, m].": _turned,
        "You returned the angle, in radians. The similarity is its cosine, so leave acos out.": _angle,
        "You returned the angle, in degrees. The similarity is its cosine, so leave acos out.": _degrees,
        "You dropped the sign. Vectors that point opposite ways have similarity −1, not 1.": _absolute,
        "You subtracted each vector's mean, which gives the correlation. Leave the vectors as they are.": _correlation,
        "You divided by the sum of the two lengths. Divide by their product.": _norms_added,
        "You put a softmax on top, so that rows sum to one. The cosines themselves are asked for.": _softmaxed,
        "You multiplied a by b as they are. Turn b on its side, b.T, so that its vectors stand in columns and every "
        "row of a meets every one of them.": _no_transpose,
        "You multiplied a by b as they are, and left the lengths in. Turn b on its side, b.T, so that every row of a "
        "meets every vector of b; and divide by the lengths.": _dot_no_transpose,
        "You turned a on its side. It is b that has to be turned: a @ b.T.": _wrong_one_transposed,
        "You multiplied entry by entry, a * b. Every row of a should meet every row of b: a @ b.T.": _entry_by_entry,
        "You took the dot product of the first with the first, the second with the second, and so on. Every row of a "
        "should meet every row of b: a @ b.T, and then the lengths.": _rows_multiplied,
        "You compared along the list of b, not along the vectors. The numbers of one vector lie on the last axis: "
        "dim=-1.": _along_the_list,
        "The lengths of b stand in a column, so each row was divided by a length of b. They belong along the top of "
        "the table, one over each column: turn them with .T, or leave keepdim out for b.": _lengths_both_standing,
        "You divided by the length of a and then multiplied by that of b: Python reads x / y * z as (x / y) * z. Put "
        "the product in brackets.": _brackets_forgotten,
        "norm(1) is another norm, the sum of the entries' sizes, and of the whole table. Name the axis and let each "
        "row have its own: norm(dim=1, keepdim=True).": _norm_one,
        "You divided by the sum of the entries. The length of a vector is the root of its sum of squares: "
        ".norm().": _sums,
        "You divided by the largest entry. The length of a vector is the root of its sum of squares: "
        ".norm().": _largest_entries,
        "You took the norms down the columns, dim=0, and multiplied them. A vector is a row here, so its length runs "
        "along dim=1; and the product of the lengths is a table [n, m].": _columns_multiplied,
        "You took the norms down the columns, dim=0, and made a table of their products. A vector is a row here, so "
        "its length runs along dim=1.": _columns_crossed,
        "You divided by the length of the table's own rows. It is the vectors in a and in b whose lengths have to "
        "go.": _rows_of_the_table,
        "You took the root twice: .norm() is already the root of the sum of squares.": _root_of_the_root,
        "You multiplied by the lengths. Divide by them.": _times_the_lengths,
        "You took the mean of the squares where their sum belongs. The length is the root of the sum: "
        ".norm().": _root_of_the_mean,
        "You took the mean of the products where their sum belongs.": _mean_product,
        "You compared a with itself. Compare the rows of a with the rows of b.": _first_with_itself,
        "You compared b with itself. Compare the rows of a with the rows of b.": _second_with_itself,
        "All the numbers are there, in one long row. Make a table of them: one row for each vector of a.": _in_one_row,
        "You took the cosine of the dot product, as if that were an angle. The dot product, divided by the lengths, "
        "is already the cosine.": _cosine_of_the_product,
        "You squared the cosine. Leave it as it is.": _squared,
        "You set what is negative to 0. Vectors that point away from each other have a negative similarity.": (
            _never_negative
        ),
        "You moved the cosines between 0 and 1. They run from −1 to 1: leave them so.": _from_zero_to_one,
        "You rounded. Leave all the digits: a neighbour may be nearer by very little.": _two_decimals,
    },
    hints=(
        "Two arrows may point the same way and differ in length. What would you divide by, so that only the direction "
        "is left?",
        "Divide each row of a by its own length, do the same with b, then take all dot products at once: that is one "
        "matrix product of a with b transposed.",
        """
        a = a / a.norm(dim=1, keepdim=True)
        b = b / b.norm(dim=1, keepdim=True)
        return a @ b.T
        """,
    ),
    also_right=[_one_pair_at_a_time, _by_broadcasting, _by_einsum, _by_distance_of_unit_vectors],
)


def _queries_and_memory(seed: int) -> list[Case]:
    """Vectors to look up; no two similarities tie, and the longest vector of the memory is rarely the right one."""
    random = torch.Generator().manual_seed(seed)

    def draw(n: int, dim: int, lengths: bool = False) -> Tensor:
        vectors = torch.randn(n, dim, generator=random)
        return vectors * torch.linspace(0.2, 3, n)[:, None] if lengths else vectors

    memory = draw(6, 5, lengths=True)
    return [
        Case(
            "two arrows, to the right and up, among three",
            torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
            torch.tensor([[0.1, 1.0], [4.0, 1.2], [-1.0, 0.2]]),
        ),
        Case("three queries, seven to choose from", draw(3, 4), draw(7, 4, lengths=True)),
        Case("more queries than there is memory", draw(9, 4), draw(4, 4, lengths=True)),
        Case("as many queries as there is memory", draw(6, 5), draw(6, 5, lengths=True)),
        Case("five queries and a memory of five, of five numbers each", draw(5, 5), draw(5, 5, lengths=True)),
        Case("one query", draw(1, 8), draw(12, 8, lengths=True)),
        Case(
            "nothing that is alike: every cosine is negative",
            torch.tensor([[1.0, 0.0]]),
            torch.tensor([[-2.0, 0.0], [-3.0, 9.0], [-1.0, 2.0]]),
        ),
        Case("one thing to choose from", draw(3, 4), draw(1, 4)),
        Case("queries that are in the memory themselves", memory[[4, 1]], memory),
        Case("vectors that are not contiguous in memory", draw(8, 5).T, draw(8, 6).T),
        Case("float64", draw(4, 6).double(), draw(9, 6, lengths=True).double()),
    ]


def _memory_finds_itself(nearest: Callable, case: Case) -> str | None:
    """What is in the memory finds itself."""
    _, memory = case.args
    found = _tensor(nearest(memory, memory))
    return None if found.tolist() == list(range(len(memory))) else "A vector of the memory did not find itself."


def _length_does_not_matter(nearest: Callable, case: Case) -> str | None:
    """Longer or shorter queries find the same."""
    queries, memory = case.args
    same = _tensor(nearest(queries, memory)).tolist() == _tensor(nearest(5 * queries, memory)).tolist()
    return None if same else "A query made five times longer found something else, though it points the same way."


def _is_an_index(nearest: Callable, case: Case) -> str | None:
    """What comes back can be used to pick rows of the memory."""
    queries, memory = case.args
    found = nearest(queries, memory)
    try:
        picked = memory[found].shape
    except Exception:
        return "What came back cannot pick rows: memory[nearest(queries, memory)] failed. Return whole numbers."
    wanted = (len(queries), memory.shape[1])
    return None if picked == wanted else f"memory[nearest(queries, memory)] has shape {tuple(picked)}, not {wanted}."


def _least(queries: Tensor, memory: Tensor) -> Tensor:
    return tiny.cosine_similarity(queries, memory).argmin(dim=1)


def _over_queries(queries: Tensor, memory: Tensor) -> Tensor:
    return tiny.cosine_similarity(queries, memory).argmax(dim=0)


def _how_similar(queries: Tensor, memory: Tensor) -> Tensor:
    return tiny.cosine_similarity(queries, memory).amax(dim=1)


def _largest_dot(queries: Tensor, memory: Tensor) -> Tensor:
    return (queries @ memory.T).argmax(dim=1)


def _closest_point(queries: Tensor, memory: Tensor) -> Tensor:
    return torch.cdist(queries, memory).argmin(dim=1)


def _of_the_whole_table(queries: Tensor, memory: Tensor) -> Tensor:
    return tiny.cosine_similarity(queries, memory).argmax()


def _second(queries: Tensor, memory: Tensor) -> Tensor:
    best = tiny.cosine_similarity(queries, memory).argsort(dim=1, descending=True)
    return best[:, min(1, best.shape[1] - 1)]


def _themselves(queries: Tensor, memory: Tensor) -> Tensor:
    return tiny.cosine_similarity(queries, queries).argmax(dim=1)


def _vectors(queries: Tensor, memory: Tensor) -> Tensor:
    return memory[tiny.nearest(queries, memory)]


def _counted_from_one(queries: Tensor, memory: Tensor) -> Tensor:
    return tiny.nearest(queries, memory) + 1


def _all_in_order(queries: Tensor, memory: Tensor) -> Tensor:
    return tiny.cosine_similarity(queries, memory).argsort(dim=1, descending=True)


def _as_a_column(queries: Tensor, memory: Tensor) -> Tensor:
    return tiny.cosine_similarity(queries, memory).argmax(dim=1, keepdim=True)


def _unturned(queries: Tensor, memory: Tensor) -> Tensor:
    return (queries @ memory).argmax(dim=1)


def _unturned_unit(queries: Tensor, memory: Tensor) -> Tensor:
    return (F.normalize(queries, dim=1) @ F.normalize(memory, dim=1)).argmax(dim=1)


def _either_way(queries: Tensor, memory: Tensor) -> Tensor:
    return tiny.cosine_similarity(queries, memory).abs().argmax(dim=1)


def _better_than_nothing(queries: Tensor, memory: Tensor) -> Tensor:
    """What a loop finds whose `best` starts at 0, and its place too."""
    return tiny.cosine_similarity(queries, memory).clamp(min=0).argmax(dim=1)


def _squeezed(queries: Tensor, memory: Tensor) -> Tensor:
    return _as_a_column(queries, memory).squeeze()


def _max_alone(queries: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    values, places = tiny.cosine_similarity(queries, memory).max(dim=1)
    return values, places


def _order_of_the_first(queries: Tensor, memory: Tensor) -> Tensor:
    return _all_in_order(queries, memory)[0]


def _the_table(queries: Tensor, memory: Tensor) -> Tensor:
    return tiny.cosine_similarity(queries, memory)


def _marked(queries: Tensor, memory: Tensor) -> Tensor:
    return F.one_hot(tiny.nearest(queries, memory), len(memory))


def _farthest_point(queries: Tensor, memory: Tensor) -> Tensor:
    return torch.cdist(queries, memory).argmax(dim=1)


def _memory_in_itself(queries: Tensor, memory: Tensor) -> Tensor:
    return tiny.cosine_similarity(memory, memory).argmax(dim=1)


def _query_by_query(queries: Tensor, memory: Tensor) -> list[int]:
    found = []
    for query in queries:
        similarities = [float(F.cosine_similarity(query, other, dim=0)) for other in memory]
        found.append(similarities.index(max(similarities)))
    return found


def _by_max(queries: Tensor, memory: Tensor) -> Tensor:
    return (queries @ F.normalize(memory, dim=1).T).max(dim=1).indices


def _by_sorting(queries: Tensor, memory: Tensor) -> Tensor:
    return tiny.cosine_similarity(queries, memory).topk(1, dim=1).indices[:, 0]


def _by_unit_distance(queries: Tensor, memory: Tensor) -> Tensor:
    unit = F.normalize(queries, dim=1)[:, None] - F.normalize(memory, dim=1)[None]
    return unit.square().sum(-1).argmin(dim=1)


nearest = Check(
    reference=tiny.nearest,
    cases=_queries_and_memory,
    properties=[_is_an_index, _memory_finds_itself, _length_does_not_matter],
    misconceptions={
        "You found the one least alike. Similarity is large for what is alike: argmax, not argmin.": _least,
        "You looked along the wrong axis: for each thing in the memory you found the best query. Each query, one row, "
        "should look through the memory: argmax(dim=1).": _over_queries,
        "You returned how similar the best one is. Return where it is: argmax, not max.": _how_similar,
        "You compared dot products, so the long vectors of the memory win. Compare by cosine_similarity.": _largest_dot,
        "You took the closest point. The nearest here is the one that points most nearly the same way: compare by "
        "cosine_similarity.": _closest_point,
        "You found one best of the whole table. Each query has a best of its own: argmax(dim=1).": _of_the_whole_table,
        "You skipped the best and took the second best. That is right where a query may find itself; here the memory "
        "is a different set.": _second,
        "You compared the queries with the queries, so each found itself. Compare with the memory.": _themselves,
        "You returned the neighbours' vectors. Return their places in the memory: whole numbers.": _vectors,
        "You counted from one. Python counts the rows from zero.": _counted_from_one,
        "You returned the whole order, from most to least alike. Only the first is asked for.": _all_in_order,
        "You returned a column, [n, 1]. The answer is a plain list of n indices: leave keepdim out.": _as_a_column,
        "You multiplied the queries by the memory as it is. It takes memory.T, and the lengths have to go: "
        "cosine_similarity(queries, memory) does both.": _unturned,
        "You divided by the lengths and multiplied by the memory as it is, where it takes its .T. "
        "cosine_similarity(queries, memory) does all of it.": _unturned_unit,
        "You dropped the sign. What points the opposite way is least alike: argmax of the similarities as they "
        "are.": _either_way,
        "Where every similarity is negative, nothing beats the 0 that you begin with. Begin with −1 or less, or with "
        "the first of the memory.": _better_than_nothing,
        "squeeze() took the queries' axis away as well, where there is only one query. Leave keepdim out instead, or "
        "squeeze dim 1 alone.": _squeezed,
        "max(dim=1) gives two things, how large and where. Take the second, .indices, or use argmax.": _max_alone,
        "You returned the first row of the sorted places, all for the first query. The first column is asked for: "
        "[:, 0].": _order_of_the_first,
        "This is the table of similarities. In each of its rows, find the place of the largest: argmax(dim=1).": (
            _the_table
        ),
        "You returned a table with a one in the place of the best. Return the place: argmax(dim=1).": _marked,
        "You took the point farthest away. Among distances the nearest is the smallest; and compare by "
        "cosine_similarity here.": _farthest_point,
        "You compared the memory with itself. Look up the queries in it.": _memory_in_itself,
    },
    hints=(
        "You already have the similarity of every query to everything in the memory. What is still to be done in "
        "each row of that table?",
        "Make the table with cosine_similarity(queries, memory): its rows are the queries. The place of the largest "
        "entry in each row is what argmax gives; say along which axis it should look.",
        "return cosine_similarity(queries, memory).argmax(dim=1)",
    ),
    also_right=[_query_by_query, _by_max, _by_sorting, _by_unit_distance],
)


CHECKS = {
    "numbers_per_picture": numbers_per_picture,
    "shrink": shrink,
    "cosine_similarity": cosine_similarity,
    "nearest": nearest,
}
