# NumPy's einsum.
import numpy as np


def channel_outputs(X, W):
    n, c, kh, kw = W.shape
    shares = np.einsum("rcij,ncij->rnc", X.numpy().reshape(-1, c, kh, kw), W.numpy())
    return torch.from_numpy(shares.reshape(-1, c))
