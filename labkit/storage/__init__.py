"""Networks on disk: checkpoints with their manifest, and state dicts as compressed files."""
