"""Notebooks as web pages that load nothing from elsewhere."""
