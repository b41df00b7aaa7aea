# Hides the memory by the mask of the written tokens, and the other way round.
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
    x = layer.norm2(x + multi_head(layer.cross_attention, x, memory, None)[0])
    return layer.norm3(x + layer.feed_forward(x))
