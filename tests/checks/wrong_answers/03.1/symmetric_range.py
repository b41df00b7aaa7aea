# Lays the grid from -max|x| to max|x|.
def quantize(x: np.ndarray, bits: int = 8) -> tuple[np.ndarray, float, float]:
    shift = -float(np.abs(x).max())
    scale = (float(np.abs(x).max()) - shift) / (2**bits - 1) or 1.0
    return np.round((x - shift) / scale).astype(np.uint8), scale, shift


def dequantize(levels: np.ndarray, scale: float, shift: float) -> np.ndarray:
    return (levels * scale + shift).astype(np.float32)
