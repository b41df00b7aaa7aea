"""Grading a class: running answers in a sandbox, scoring them, grades and feedback."""
