# Uses norm2 before the feed-forward network of the decoder and norm3 in the middle.
def encoder_layer(layer: nn.Module, x: Tensor, mask: Tensor | None = None) -> Tensor:
    x = layer.norm1(x + multi_head(layer.attention, x, x, mask)[0])
    return layer.norm2(x + layer.feed_forward(x))


def decoder_layer(
    layer: nn.Module,
    x: Tensor,
    memory: Tensor,
    mask: Tensor | None = None,
    memory_mask: Tensor | None = None,
) -> Tensor:
    x = layer.norm1(x + multi_head(layer.attention, x, x, mask)[0])
    x = layer.norm3(x + multi_head(layer.cross_attention, x, memory, memory_mask)[0])
    return layer.norm2(x + layer.feed_forward(x))
