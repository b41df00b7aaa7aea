"""What runs the course: a lab's journey from its source to the release, to grades and feedback.

Imports nothing of labkit but tables, environment, settings, files and error names; starts without torch
or matplotlib.
"""
