# Lets PyTorch compute the shape of the output on the meta device.
def conv_macs(weight_shape, height, width, stride, padding):
    layer = nn.Conv2d(weight_shape[1], weight_shape[0], weight_shape[2:], stride, padding, device="meta")
    out = layer(torch.empty(1, weight_shape[1], height, width, device="meta"))
    return out.numel() * layer.weight[0].numel()


def linear_macs(weight_shape):
    out, inputs = weight_shape
    return sum(inputs for _ in range(out))
