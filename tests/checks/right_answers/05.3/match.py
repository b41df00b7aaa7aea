# match and case, and a Counter as result.
from collections import Counter


def byte_ledger(rows, file_bytes):
    ledger = Counter({"weights": 0, "other tensors": 0, "overhead": 0})
    for part, size in rows:
        match part:
            case "mask" | "values" | "codebooks":
                ledger["weights"] += size
            case "dense tensors":
                ledger["other tensors"] += size
            case "magic and version" | "header" | "checksum":
                ledger["overhead"] += size
            case _:
                raise ValueError(part)
        if size < 0:
            raise ValueError(size)
    if sum(ledger.values()) != file_bytes:
        raise ValueError(file_bytes)
    return ledger
