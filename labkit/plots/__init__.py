"""Figures: the house style, and one module of plots a lab. The only code that uses matplotlib."""

from labkit.plots.figure import new_figure, show_figure

__all__ = ["new_figure", "show_figure"]
