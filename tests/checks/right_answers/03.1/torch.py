# PyTorch rounds; the levels come back as a NumPy array.
def quantize(x, bits: int = 8):
    tensor = torch.from_numpy(np.asarray(x, dtype=float))
    low, high = torch.aminmax(tensor)
    scale = ((high - low) / (2**bits - 1)).item()
    scale = scale if scale else 1.0
    return ((tensor - low) / scale).round().to(torch.uint8).numpy(), scale, low.item()


def dequantize(levels, scale, shift):
    return np.array([level * scale + shift for level in np.ravel(levels).tolist()], np.float32).reshape(levels.shape)
