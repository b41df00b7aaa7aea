"""Figures: the house style, and one module of plots per lab. No other package uses matplotlib."""

from labkit.plots.figure import new_figure, show_figure

__all__ = ["new_figure", "show_figure"]
