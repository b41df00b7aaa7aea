# Keeps keys and forgets the older values.
Cache = tuple[Tensor, Tensor]


def attend_next(layer: nn.Module, x: Tensor, cache: Cache | None) -> tuple[Tensor, Cache]:
    def split(projected: Tensor) -> Tensor:
        return projected.unflatten(-1, (layer.heads, -1)).transpose(1, 2)

    keys, values = split(layer.key(x)), split(layer.value(x))
    if cache is not None:
        keys, values = torch.cat([cache[0], keys], dim=2), values.expand(-1, -1, keys.shape[2] + 1, -1)
    context, _ = attention(split(layer.query(x)), keys, values)
    return layer.output(context.transpose(1, 2).flatten(2)), (keys, values)
