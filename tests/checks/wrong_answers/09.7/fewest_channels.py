# Keeps the smallest number everywhere, which always fits.
def choose_counts(errors: list[dict[int, float]], macs: Callable[[list[int]], int], budget: int) -> list[int]:
    return [min(table) for table in errors]
