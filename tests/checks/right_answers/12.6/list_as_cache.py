# The cache is a list.
Cache = list


def attend_next(layer, x, cache):
    def split(y):
        return torch.stack(y.chunk(layer.heads, dim=-1), dim=1)

    parts = [split(layer.key(x)), split(layer.value(x))]
    if cache is not None:
        parts = [torch.cat((old, new), dim=-2) for old, new in zip(cache, parts, strict=True)]
    context, _ = attention(split(layer.query(x)), parts[0], parts[1])
    return layer.output(torch.cat(context.unbind(1), dim=-1)), tuple(parts)
