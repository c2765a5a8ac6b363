"""One figure style for the whole course, legible in JupyterLab's light and dark theme.

A figure brings its own warm white card: no theme shows through, so its ink is readable on both.
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from squint.viz import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 144


def use() -> None:
    """Set matplotlib's defaults to the house style."""
    import matplotlib as mpl
    from cycler import cycler

    mpl.rcParams.update(
        {
            "figure.figsize": (7.2, 3.6),
            "figure.dpi": 100,
            "figure.facecolor": colours.CARD,
            "figure.constrained_layout.use": True,
            "savefig.facecolor": colours.CARD,
            "axes.facecolor": colours.CARD,
            "axes.edgecolor": colours.GREY,
            "axes.labelcolor": colours.INK,
            "axes.titlecolor": colours.INK,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "axes.labelsize": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.prop_cycle": cycler(color=colours.CYCLE),
            "grid.color": "#E4E1D8",
            "grid.linewidth": 0.8,
            "text.color": colours.INK,
            "xtick.color": colours.INK,
            "ytick.color": colours.INK,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.frameon": False,
            "legend.fontsize": 9,
            "lines.linewidth": 1.8,
            "image.cmap": "cividis",
            "font.family": "DejaVu Sans",
        }
    )


def png(figure: Figure) -> bytes:
    """The figure as a PNG on its card, at twice a screen's resolution, tightly cropped."""
    buffer = io.BytesIO()
    # Metadata is left out: with it two runs of one cell would differ in their bytes.
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", pad_inches=0.15, metadata={"Software": None})
    return buffer.getvalue()


def html(figure: Figure, alt: str) -> str:
    """The figure as one HTML image with its alternative text, sized to be sharp on dense screens."""
    from html import escape

    data = png(figure)
    width = int.from_bytes(data[16:20], "big") * 96 // DPI
    code = base64.b64encode(data).decode()
    return (
        f'<img src="data:image/png;base64,{code}" alt="{escape(alt)}" width="{width}" '
        f'style="max-width:100%;border-radius:6px"/>'
    )


@runtime_checkable
class Guess(Protocol):
    """What `predict` returns: a value, None until the learner has answered."""

    value: Any


def draw_guess(axes: Axes, guess: Guess, axis: str = "y") -> None:
    """Draw the learner's guess as a dashed line at its value on the `axis` ("x" or "y"); nothing if unanswered."""
    if guess.value is None or isinstance(guess.value, str):
        return
    line = axes.axhline if axis == "y" else axes.axvline
    line(guess.value, color=colours.PINK, linestyle="--", linewidth=1.6, label="your guess")
    axes.legend()
