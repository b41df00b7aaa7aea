"""Pruning: removing weights of a trained network."""
