# Both layers by one helper that takes a list of parts.
def through(x, steps):
    for norm, part in steps:
        x = norm(x + part(x))
    return x


def encoder_layer(layer, x, mask=None):
    own = lambda y: multi_head(layer.attention, y, y, mask)[0]
    return through(x, [(layer.norm1, own), (layer.norm2, layer.feed_forward)])


def decoder_layer(layer, x, memory, mask=None, memory_mask=None):
    own = lambda y: multi_head(layer.attention, y, y, mask)[0]
    other = lambda y: multi_head(layer.cross_attention, y, memory, memory_mask)[0]
    return through(x, [(layer.norm1, own), (layer.norm2, other), (layer.norm3, layer.feed_forward)])
