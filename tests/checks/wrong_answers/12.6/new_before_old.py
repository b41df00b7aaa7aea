# Puts the new key in front, but the new value behind.
Cache = tuple[Tensor, Tensor]


def attend_next(layer: nn.Module, x: Tensor, cache: Cache | None) -> tuple[Tensor, Cache]:
    def split(projected: Tensor) -> Tensor:
        return projected.unflatten(-1, (layer.heads, -1)).transpose(1, 2)

    keys, values = split(layer.key(x)), split(layer.value(x))
    if cache is not None:
        keys, values = torch.cat([keys, cache[0]], dim=2), torch.cat([cache[1], values], dim=2)
    context, _ = attention(split(layer.query(x)), keys, values)
    return layer.output(context.transpose(1, 2).flatten(2)), (keys, values)
