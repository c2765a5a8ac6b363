"""Words beside the points of a picture, none on another and none on a point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.transforms import Bbox, BboxBase

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

_PLACES = [(5, 0), (-5, 0), (0, 5), (0, -5), (4, 5), (-4, 5), (4, -5), (-4, -5), (0, 11), (0, -11), (9, 9), (-9, -9)]


def label(
    axes: Axes, points: Sequence[Sequence[float]], words: Sequence[str], colours: Sequence[str], size: float = 8
) -> list[Text]:
    """Write each word beside its point: right or left of it, above or below, wherever it covers least.

    Args:
        axes: with the points drawn and the limits set; moving either afterwards moves the words off their places.
        points: x and y of each word, in the axes' own numbers.
        words, colours: one for each point.
        size: of the letters, in points.

    Returns the texts, in the order of the words.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # settles where the axes lie
    taken: list[BboxBase] = [_around(*axes.transData.transform(point)) for point in points]
    texts: list[Text] = []
    for point, word, colour in zip(points, words, colours, strict=True):
        at = point[0], point[1]
        text = axes.annotate(
            word, at, (0, 0), textcoords="offset points", fontsize=size, color=colour, annotation_clip=False
        )
        _, place = min((_covered(_put(text, place), taken, axes.bbox), i) for i, place in enumerate(_PLACES))
        taken.append(_put(text, _PLACES[place]))
        texts.append(text)
    return texts


def _around(x: float, y: float, radius: float = 4) -> Bbox:
    return Bbox.from_extents(x - radius, y - radius, x + radius, y + radius)


def _put(text: Text, place: tuple[int, int]) -> BboxBase:
    """Move a word to a place about its point, and say which pixels it covers there."""
    across, up = place
    text.set_position(place)
    text.set_horizontalalignment("left" if across > 0 else "right" if across < 0 else "center")
    text.set_verticalalignment("bottom" if up > 0 else "top" if up < 0 else "center")
    return text.get_window_extent()


def _covered(box: BboxBase, taken: Sequence[BboxBase], inside: BboxBase) -> float:
    """How many pixels a word covers that are taken, or are outside the axes."""
    outside = box.width * box.height - _shared(box, inside)
    return outside + sum(_shared(box, other) for other in taken)


def _shared(one: BboxBase, other: BboxBase) -> float:
    both = Bbox.intersection(one, other)
    return both.width * both.height if both is not None else 0.0
