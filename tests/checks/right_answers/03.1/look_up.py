# Searches the nearest of all values of the grid, one number at a time.
def quantize(x, bits=8):
    low, high = float(np.min(x)), float(np.max(x))
    scale = (high - low) / (2**bits - 1)
    if scale == 0:
        return np.zeros_like(x, dtype=np.uint8), 1.0, low
    grid = low + scale * np.arange(2**bits)
    nearest = [int(np.argmin(np.abs(grid - value))) for value in np.ravel(x)]
    return np.array(nearest, dtype=np.uint8).reshape(x.shape), scale, low


def dequantize(levels, scale, shift):
    return np.multiply(levels, scale, dtype=np.float32) + np.float32(shift)
