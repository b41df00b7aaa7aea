# Returns the mean of the weights over the heads.
def multi_head(
    layer: nn.Module, x: Tensor, source: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    def split(projected: Tensor) -> Tensor:
        return projected.unflatten(-1, (layer.heads, -1)).transpose(1, 2)

    each_head = None if mask is None else mask.unsqueeze(1)
    queries, keys = split(layer.query(x)), split(layer.key(source))
    context, weights = attention(queries, keys, split(layer.value(source)), each_head)
    return layer.output(context.transpose(1, 2).flatten(2)), weights.mean(1)
