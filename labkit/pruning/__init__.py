"""Pruning: removing weights or channels of a network."""
