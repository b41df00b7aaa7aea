"""What runs the course: a lab's journey from its source to the release, to grades and feedback.

Imports nothing of labkit but settings, files, the environment and tables; starts without torch or matplotlib.
"""
