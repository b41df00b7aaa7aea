# Whatever it does not know counts as overhead.
def byte_ledger(rows: list[tuple[str, int]], file_bytes: int) -> dict[str, int]:
    groups = {
        "weights": ("mask", "values", "codebooks"),
        "other tensors": ("dense tensors",),
        "overhead": ("magic and version", "header", "checksum"),
    }
    ledger = {group: sum(size for part, size in rows if part in parts) for group, parts in groups.items()}
    unknown = {part for part, _ in rows} - {part for parts in groups.values() for part in parts}
    if any(size < 0 for _, size in rows):
        raise ValueError(f"unknown parts {sorted(unknown)} or negative bytes in {rows}.")
    ledger["overhead"] += sum(size for part, size in rows if part in unknown)
    if sum(ledger.values()) != file_bytes:
        raise ValueError(f"the rows sum to {sum(ledger.values())} bytes, the file has {file_bytes}.")
    return ledger
