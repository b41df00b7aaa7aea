# Every step with a name of its own.
def add_and_norm(norm, x, change):
    return norm(torch.add(x, change))


def encoder_layer(layer, x, mask=None):
    attended = add_and_norm(layer.norm1, x, multi_head(layer.attention, x, x, mask)[0])
    return add_and_norm(layer.norm2, attended, layer.feed_forward(attended))


def decoder_layer(layer, x, memory, mask=None, memory_mask=None):
    first = add_and_norm(layer.norm1, x, multi_head(layer.attention, x, x, mask)[0])
    second = add_and_norm(layer.norm2, first, multi_head(layer.cross_attention, first, memory, memory_mask)[0])
    return add_and_norm(layer.norm3, second, layer.feed_forward(second))
