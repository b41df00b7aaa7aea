"""A lab's notebook as data: its structure, normal form, limits, comparison and execution."""
