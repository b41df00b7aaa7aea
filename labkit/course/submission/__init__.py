"""What students hand in: packing it, reading it, finding the answers in it."""
