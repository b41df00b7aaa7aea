# Rounds by adding a half and flooring; computes in float64; bits is counted by a shift.
def quantize(x, bits=8):
    values = x.astype(np.float64)
    shift, high = values.min(), values.max()
    scale = (high - shift) / ((1 << bits) - 1) if high > shift else 1.0
    return np.floor((values - shift) / scale + 0.5).astype("uint8"), np.float64(scale), np.float64(shift)


def dequantize(levels, scale, shift):
    return np.float32(shift) + np.float32(scale) * levels.astype(np.float32)
