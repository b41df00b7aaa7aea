"""A lab's notebook as data: its structure, normal form, completeness, comparison and execution."""
