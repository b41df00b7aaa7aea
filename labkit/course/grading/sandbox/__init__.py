"""The security boundary: a process with limits that runs what students wrote."""
