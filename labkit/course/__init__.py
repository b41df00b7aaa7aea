"""Course tooling: notebooks as data, checks, the nbval plugin, recording, reports.

Starts without torch or matplotlib.
"""
