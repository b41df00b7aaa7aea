# One integer for the whole mask.
def mask_to_bytes(mask: Tensor) -> bytes:
    flat = mask.flatten().tolist()
    flat += [False] * (-len(flat) % 8)
    number = 0
    for kept in flat:
        number = 2 * number + int(kept)
    return number.to_bytes(len(flat) // 8, "big")


def bytes_to_mask(data: bytes, shape: tuple[int, ...]) -> Tensor:
    size = torch.Size(shape).numel()
    kept = [(data[i // 8] >> (7 - i % 8)) & 1 == 1 for i in range(size)]
    return torch.tensor(kept, dtype=torch.bool).reshape(shape)
