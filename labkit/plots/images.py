"""Images of a data set as figures, for any lab."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from torch import Tensor

from labkit.plots.figure import clear_frame, new_figure, show_figure

__all__ = ["draw_image", "plot_images"]

INCHES = 0.75  # per image


def plot_images(title: str, rows: Mapping[str, Tensor]) -> None:
    """Show rows of images, each row under its name.

    Args:
        title: the figure's title.
        rows: images ``(n, 3, h, w)`` uint8 by the row's name; rows may differ in n.

    Raises:
        ValueError: if there is no row, or a row holds no images.
    """
    counts = [len(images) for images in rows.values()]
    if not counts or min(counts) == 0:
        raise ValueError(f"each row needs at least one image, got {counts}; choose other images.")
    columns = max(counts)
    size = (INCHES * columns + 1.2, INCHES * len(rows) + 0.6)
    figure, axes = new_figure(title, rows=len(rows), columns=columns, size=size)
    for axis in axes:
        clear_frame(axis)  # also where a row is shorter
    for row, (name, images) in enumerate(rows.items()):
        first = axes[row * columns]
        first.set_ylabel(name, rotation=0, ha="right", va="center")
        for column, image in enumerate(images):
            draw_image(axes[row * columns + column], image)
    spoken = ", ".join(f"{name} ({count})" for name, count in zip(rows, counts, strict=True))
    show_figure(
        figure,
        alt=f"{title}. Rows of images, with the number in each: {spoken}.",
        data={"row": list(rows), "images": counts},
    )


def draw_image(axes: Axes, image: Tensor) -> None:
    """Draw an image ``(3, h, w)`` uint8, pixel by pixel and without a frame."""
    axes.imshow(image.cpu().permute(1, 2, 0).numpy(), interpolation="nearest")
    clear_frame(axes)
