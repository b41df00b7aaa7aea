"""Notebooks as web pages that load nothing from elsewhere, and the page of results."""
