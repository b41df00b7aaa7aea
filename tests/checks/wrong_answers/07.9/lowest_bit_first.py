# Puts the first position into the lowest bit.
import math

import numpy as np


def mask_to_bytes(mask: Tensor) -> bytes:
    return np.packbits(mask.numpy().ravel(), bitorder="little").tobytes()


def bytes_to_mask(data: bytes, shape: tuple[int, ...]) -> Tensor:
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little", count=math.prod(shape))
    return torch.from_numpy(bits.astype(bool)).view(shape)
