"""What lies on disk: checkpoints, and networks as compressed files."""
