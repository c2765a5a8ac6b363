"""Figures: one house style, bertviz that works offline, maps."""

from squint.viz.style import draw_guess

__all__ = ["draw_guess"]
