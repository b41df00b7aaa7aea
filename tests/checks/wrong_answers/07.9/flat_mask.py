# Forgets the shape.
import math

import numpy as np


def mask_to_bytes(mask: Tensor) -> bytes:
    return np.packbits(mask.numpy().ravel()).tobytes()


def bytes_to_mask(data: bytes, shape: tuple[int, ...]) -> Tensor:
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=math.prod(shape))
    return torch.from_numpy(bits.astype(bool))
