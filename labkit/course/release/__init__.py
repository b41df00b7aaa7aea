"""What students get: labs without answers, in a folder that proves itself."""
