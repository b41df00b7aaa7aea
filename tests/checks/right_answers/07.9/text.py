# Binary digits as text.
def mask_to_bytes(mask: Tensor) -> bytes:
    digits = "".join("1" if kept else "0" for kept in mask.flatten().tolist())
    digits += "0" * (-len(digits) % 8)
    return bytes(int(digits[i : i + 8], 2) for i in range(0, len(digits), 8))


def bytes_to_mask(data: bytes, shape: tuple[int, ...]) -> Tensor:
    digits = "".join(f"{number:08b}" for number in data)
    flat = torch.tensor([digit == "1" for digit in digits], dtype=torch.bool)
    return flat[: torch.Size(shape).numel()].view(shape)
