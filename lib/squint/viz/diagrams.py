"""Drawings of how a model is put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from squint.viz import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


FLOOR, STEP = 1.75, 2.15
"""Where the lowest sublayer of a tower begins, and how much higher the next one does."""


def transformer(blocks: int = 6) -> Figure:
    """Encoder and decoder of a Transformer side by side, after figure 1 of Vaswani et al. 2017, with the norm first."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 6))
    axes.set(xlim=(-0.5, 13.2), ylim=(-0.8, 10.6))
    axes.axis("off")
    left, right = 3.8, 11.4
    _tower(axes, left, ["self-attention", "feed-forward"], f"encoder block,\n{blocks} times", "the source")
    sublayers = ["masked self-attention", "cross-attention", "feed-forward"]
    _tower(axes, right, sublayers, f"decoder block,\n{blocks} times", "the target so far")
    top, bend, tip = _top(2), 5.9, FLOOR + STEP + 1.15
    road = ([left, left, bend, bend, right - 3.75], [top, top + 0.7, top + 0.7, tip, tip])
    axes.plot(*road, color=colours.BLUE, linewidth=2)
    arrow = {"arrowstyle": "-|>", "color": colours.BLUE, "linewidth": 2, "shrinkB": 0}
    axes.annotate("", (right - 3.45, tip), (right - 3.95, tip), arrowprops=arrow)
    axes.text(left - 0.1, top + 0.85, "memory:\nkeys and values", color=colours.BLUE, fontsize=9.5)
    _box(axes, right, _top(3), "to the vocabulary", colours.GREY, width=3.2)
    _arrow(axes, right, _top(3) + 0.65, _top(3) + 1.1)
    axes.text(right, _top(3) + 1.25, "what comes next", ha="center", fontsize=10)
    return figure


def _top(sublayers: int) -> float:
    """Where the road leaves a tower of so many sublayers."""
    return FLOOR + STEP * sublayers + 0.45


def _tower(axes: Axes, x: float, sublayers: list[str], title: str, below: str) -> None:
    """A stack: the free road at `x`, and beside it each sublayer, whose answer is added to the road."""
    axes.text(x, -0.65, below, ha="center", fontsize=10)
    _arrow(axes, x, -0.25, 0.2)
    _box(axes, x, 0.2, "embedding + position", colours.GREY, width=3.2)
    frame = {"facecolor": "#F1EEE4", "edgecolor": colours.GREY, "linestyle": ":", "linewidth": 1}
    axes.add_patch(_rounded(x - 3.7, FLOOR - 0.3, 4.3, STEP * len(sublayers) + 0.35, zorder=0, **frame))
    axes.text(x - 3.6, FLOOR - 1.15, title, fontsize=9.5, color=colours.INK)
    _arrow(axes, x, 0.85, _top(len(sublayers)))
    for number, name in enumerate(sublayers):
        bottom, side = FLOOR + STEP * number, x - 1.95
        road = ([x, side, side, x], [bottom, bottom, bottom + 1.75, bottom + 1.75])
        axes.plot(*road, color=colours.INK, linewidth=1.4, zorder=1)
        axes.plot([x], [bottom + 1.75], "o", markersize=14, color=colours.CARD, markeredgecolor=colours.INK, zorder=3)
        axes.text(x, bottom + 1.73, "+", ha="center", va="center", fontsize=12, zorder=4)
        of_its_own = {"cross-attention": colours.BLUE, "feed-forward": colours.GREEN}
        _box(axes, side, bottom + 0.2, "norm", colours.YELLOW, width=1.4, height=0.42)
        _box(axes, side, bottom + 0.85, name, of_its_own.get(name, colours.ORANGE), width=3.0, height=0.6)


def _arrow(axes: Axes, x: float, low: float, high: float) -> None:
    arrow = {"arrowstyle": "-|>", "color": colours.INK, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x, high), (x, low), arrowprops=arrow)


def _box(axes: Axes, x: float, bottom: float, text: str, colour: str, width: float = 4.0, height: float = 0.65) -> None:
    face = {"facecolor": colours.CARD, "edgecolor": colour, "linewidth": 1.8}
    axes.add_patch(_rounded(x - width / 2, bottom, width, height, zorder=2, **face))
    axes.text(x, bottom + height / 2, text, ha="center", va="center", fontsize=9.5, zorder=3)


def _rounded(x: float, y: float, width: float, height: float, **style):  # type: ignore[no-untyped-def]
    from matplotlib.patches import FancyBboxPatch

    return FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=0.12", **style)
