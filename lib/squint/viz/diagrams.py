"""Drawings of how a model is put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from squint.viz import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


FLOOR, STEP, NORM = 1.75, 2.15, 0.42
"""Where the lowest sublayer of a tower begins, how much higher the next one does, and the height of a norm."""


def transformer(blocks: int = 6) -> Figure:
    """Encoder and decoder of a Transformer side by side, after figure 1 of Vaswani et al. 2017, with the norm first."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 6.7))
    axes.set(xlim=(-0.5, 13.2), ylim=(-0.8, 11.6))
    axes.axis("off")
    left, right = 3.8, 11.4
    _tower(axes, left, ["self-attention", "feed-forward"], f"the first of\n{blocks} blocks", "the source")
    sublayers = ["masked self-attention", "cross-attention", "feed-forward"]
    _tower(axes, right, sublayers, f"the first of\n{blocks} blocks", "the target so far")
    top, bend, tip = _top(2) + NORM, 6.1, FLOOR + STEP + 1.15
    road = ([left, left, bend, bend, right - 3.75], [top, top + 0.5, top + 0.5, tip, tip])
    axes.plot(*road, color=colours.BLUE, linewidth=2, solid_joinstyle="round")
    arrow = {"arrowstyle": "-|>", "color": colours.BLUE, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (right - 3.45, tip), (right - 3.8, tip), arrowprops=arrow)
    said = f"the memory, keys and values,\nthe same for all {blocks} decoder blocks"
    axes.text(left - 3.6, top + 0.7, said, color=colours.BLUE, fontsize=9.5)
    above = _top(3) + NORM
    _arrow(axes, right, above, above + 0.4)
    _box(axes, right, above + 0.4, "to the vocabulary", colours.GREY, width=3.2)
    _arrow(axes, right, above + 1.05, above + 1.5)
    axes.text(right, above + 1.6, "what comes next", ha="center", fontsize=10)
    return figure


def word_tree(tree: dict[str, dict[str, float]]) -> Figure:
    """Two words deep, what may follow the start and with which probability; the two likeliest ways are coloured.

    Args:
        tree: what follows the start under `""`, and under each of these words what follows it, likeliest first.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.6, 3.6))
    axes.axis("off")
    axes.text(0, 0, "<s>", ha="center", va="center")
    best = max(tree[""][word] * share for word, after in tree.items() if word for share in after.values())
    inks = (colours.VERMILION, colours.BLUE, colours.GREY)
    for word, y, ink in zip(tree[""], (2, -1, -3), inks, strict=True):
        axes.plot([0.25, 1.7], [0, y], color=ink, linewidth=1 + 4 * tree[""][word])
        axes.text(2, y, word, ha="center", va="center")
        axes.text(0.85, y / 2 + (0.42 if y > 0 else -0.42), f"{tree[''][word]:g}", color=ink, fontsize=9)
        for following, shift in zip(tree.get(word, {}), (1, 0, -1), strict=False):
            share, together = tree[word][following], tree[""][word] * tree[word][following]
            axes.plot([2.3, 3.7], [y, y + shift], color=ink, linewidth=1 + 4 * share)
            weight = "bold" if together == best else "normal"
            said = f"{following}   {share:.2f}  →  {together:.3f} together"
            axes.text(3.9, y + shift, said, va="center", fontweight=weight)
    axes.set(xlim=(-0.4, 7), ylim=(-3.6, 3.6))
    return figure


def _top(sublayers: int) -> float:
    """Where the last norm of a tower of so many sublayers begins."""
    return FLOOR + STEP * sublayers + 0.8


def _tower(axes: Axes, x: float, sublayers: list[str], title: str, below: str) -> None:
    """A stack: the free road at `x`, and beside it each sublayer, whose answer is added to the road."""
    axes.text(x, -0.65, below, ha="center", fontsize=10)
    _arrow(axes, x, -0.25, 0.2)
    _box(axes, x, 0.2, "embedding + position", colours.GREY, width=3.2)
    frame = {"facecolor": "#F1EEE4", "edgecolor": colours.GREY, "linestyle": ":", "linewidth": 1}
    for behind in (2, 1, 0):  # the other blocks, which the road passes next
        low, height = FLOOR - 0.3 + 0.16 * behind, STEP * len(sublayers) + 0.35
        axes.add_patch(_rounded(x - 3.7 - 0.12 * behind, low, 4.3, height, zorder=-behind - 1, **frame))
    axes.text(x - 3.7, FLOOR - 1.2, title, fontsize=9.5, color=colours.INK)
    _arrow(axes, x, 0.85, _top(len(sublayers)))
    _box(axes, x, _top(len(sublayers)), "norm", colours.YELLOW, width=1.4, height=NORM, filled=True)
    for number, name in enumerate(sublayers):
        bottom, side = FLOOR + STEP * number, x - 1.95
        road = ([x, side, side, x], [bottom, bottom, bottom + 1.75, bottom + 1.75])
        axes.plot(*road, color=colours.INK, linewidth=1.4, zorder=1)
        axes.plot([x], [bottom + 1.75], "o", markersize=14, color=colours.CARD, markeredgecolor=colours.INK, zorder=3)
        axes.text(x, bottom + 1.73, "+", ha="center", va="center", fontsize=12, zorder=4)
        of_its_own = {"cross-attention": colours.BLUE, "feed-forward": colours.GREEN}
        _box(axes, side, bottom + 0.2, "norm", colours.YELLOW, width=1.4, height=NORM, filled=True)
        _box(axes, side, bottom + 0.85, name, of_its_own.get(name, colours.ORANGE), width=3.0, height=0.6)


def _arrow(axes: Axes, x: float, low: float, high: float) -> None:
    arrow = {"arrowstyle": "-|>", "color": colours.INK, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x, high), (x, low), arrowprops=arrow)


def _box(
    axes: Axes,
    x: float,
    bottom: float,
    text: str,
    colour: str,
    width: float = 4.0,
    height: float = 0.65,
    filled: bool = False,
) -> None:
    """A box with a text; `filled` for colours too pale for an edge."""
    face = {"facecolor": colours.CARD, "edgecolor": colour, "linewidth": 1.8}
    face = face | {"facecolor": colour, "edgecolor": colours.INK, "linewidth": 1.2} if filled else face
    axes.add_patch(_rounded(x - width / 2, bottom, width, height, zorder=2, **face))
    axes.text(x, bottom + height / 2, text, ha="center", va="center", fontsize=9.5, zorder=3)


def _rounded(x: float, y: float, width: float, height: float, **style):  # type: ignore[no-untyped-def]
    from matplotlib.patches import FancyBboxPatch

    return FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=0.12", **style)
