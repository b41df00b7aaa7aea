# Shifts the array in place.
def quantize(x: np.ndarray, bits: int = 8) -> tuple[np.ndarray, float, float]:
    shift = float(x.min())
    scale = (float(x.max()) - shift) / (2**bits - 1) or 1.0
    x -= shift
    return np.round(x / scale).astype(np.uint8), scale, shift


def dequantize(levels: np.ndarray, scale: float, shift: float) -> np.ndarray:
    return (levels * scale + shift).astype(np.float32)
