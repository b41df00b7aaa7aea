"""A lab's notebook as data: finding it, its structure and normal form, comparison and execution."""
