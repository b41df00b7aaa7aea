# NumPy's add.at; the convolution as nine shifted products.
import numpy as np


def linear_coo(x, indices, values, shape, bias):
    out = np.tile(bias.numpy(), (len(x), 1))
    np.add.at(out.T, indices[0].numpy(), (x[:, indices[1]] * values).T.numpy())
    return torch.from_numpy(out)


def conv_coo(x, indices, values, shape, bias):
    weight = torch.zeros(tuple(shape))
    weight[tuple(indices.tolist())] = values
    padded = nn.functional.pad(x, (1, 1, 1, 1))
    height, width = x.shape[2:]
    y = bias.view(1, -1, 1, 1).expand(len(x), -1, height, width).clone()
    for i in range(3):
        for j in range(3):
            y += torch.einsum("oc,nchw->nohw", weight[:, :, i, j], padded[:, :, i : i + height, j : j + width])
    return y
