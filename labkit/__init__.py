"""labkit: the tested helpers behind the lab notebooks on making neural networks small.

Layers, top to bottom (a module imports only from below): ``cli``; ``course``; ``recipes``,
``plots``, ``tables``; ``pruning``, ``linear``; ``training``, ``models``; ``data``; ``repro``.
Importing :mod:`labkit` itself loads nothing heavy.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
