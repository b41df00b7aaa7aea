"""Networks on disk: checkpoints with their manifest, state dicts as compressed files, and masks."""
