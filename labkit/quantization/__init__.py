"""Quantization: fewer bits for each weight, on an even grid or by sharing values."""
