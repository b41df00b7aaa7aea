# Layer normalization by hand.
def normalized(norm, x):
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias


def encoder_layer(layer, x, mask=None):
    x = normalized(layer.norm1, x + multi_head(layer.attention, x, x, mask)[0])
    return normalized(layer.norm2, x + layer.feed_forward(x))


def decoder_layer(layer, x, memory, mask=None, memory_mask=None):
    x = normalized(layer.norm1, x + multi_head(layer.attention, x, x, mask)[0])
    x = normalized(layer.norm2, x + multi_head(layer.cross_attention, x, memory, memory_mask)[0])
    return normalized(layer.norm3, x + layer.feed_forward(x))
