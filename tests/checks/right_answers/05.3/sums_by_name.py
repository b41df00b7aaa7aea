# Sums by name first; pop takes what is known, and nothing may be left.
def byte_ledger(rows, file_bytes, /):
    sums = {}
    for part, size in rows:
        if size < 0:
            raise ValueError("negative")
        sums[part] = sums.get(part, 0) + size
    total = sum(sums.values())
    ledger = {
        "weights": sum(sums.pop(part, 0) for part in ("mask", "values", "codebooks")),
        "other tensors": sums.pop("dense tensors", 0),
        "overhead": sum(sums.pop(part, 0) for part in ("magic and version", "header", "checksum")),
    }
    if sums or total != file_bytes:
        raise ValueError("these rows are not this file's")
    return ledger
