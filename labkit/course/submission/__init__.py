"""Submissions: packing them, reading them, recognising labs and finding the answers."""
