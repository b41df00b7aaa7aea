# Widens the range to contain 0.
def quantize(x: np.ndarray, bits: int = 8) -> tuple[np.ndarray, float, float]:
    shift = float(min(x.min(), 0.0))
    scale = (max(float(x.max()), 0.0) - shift) / (2**bits - 1) or 1.0
    return np.round((x - shift) / scale).astype(np.uint8), scale, shift


def dequantize(levels: np.ndarray, scale: float, shift: float) -> np.ndarray:
    return (levels * scale + shift).astype(np.float32)
