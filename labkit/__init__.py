"""labkit: the tested helpers behind the lab notebooks on compressing neural networks.

The layers, and what may import what, stand in ``pyproject.toml`` (import-linter) and in the README's file map.
Importing :mod:`labkit` itself loads nothing heavy.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
