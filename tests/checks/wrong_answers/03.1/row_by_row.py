# Gives every row its own scale and shift.
def quantize(x: np.ndarray, bits: int = 8) -> tuple[np.ndarray, float, float]:
    shift = x.min(axis=-1, keepdims=True)
    scale = (x.max(axis=-1, keepdims=True) - shift) / (2**bits - 1)
    return np.round((x - shift) / scale).astype(np.uint8), scale, shift


def dequantize(levels: np.ndarray, scale: float, shift: float) -> np.ndarray:
    return (levels * scale + shift).astype(np.float32)
