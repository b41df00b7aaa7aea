# A dict from part to group; KeyError becomes ValueError.
def byte_ledger(rows, file_bytes):
    group = dict.fromkeys(["mask", "values", "codebooks"], "weights")
    group |= {"dense tensors": "other tensors"}
    group |= dict.fromkeys(["magic and version", "header", "checksum"], "overhead")
    ledger = {"overhead": 0, "other tensors": 0, "weights": 0}
    for part, size in rows:
        if part not in group or size < 0:
            raise ValueError(f"{part}: {size}")
        ledger[group[part]] += size
        file_bytes -= size
    if file_bytes:
        raise ValueError(f"{file_bytes} bytes are not accounted for")
    return ledger
