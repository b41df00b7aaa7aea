"""The nbval run: how pytest re-executes a lab and compares it with its recorded outputs."""
