# Takes a byte per position.
import math

import numpy as np


def mask_to_bytes(mask: Tensor) -> bytes:
    return mask.numpy().ravel().astype(np.uint8).tobytes()


def bytes_to_mask(data: bytes, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.frombuffer(data, np.uint8).astype(bool)).view(shape)
