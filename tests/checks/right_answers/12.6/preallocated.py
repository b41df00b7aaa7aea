# Copies into tensors that are one position longer.
Cache = tuple[Tensor, Tensor]


def attend_next(layer, x, cache):
    batch, _, d = x.shape
    before = 0 if cache is None else cache[0].shape[2]
    grown = []
    for index, part in enumerate((layer.key, layer.value)):
        new = torch.empty(batch, layer.heads, before + 1, d // layer.heads, dtype=x.dtype)
        if before:
            new[:, :, :-1] = cache[index]
        new[:, :, -1] = part(x).view(batch, layer.heads, -1)
        grown.append(new)
    query = layer.query(x).view(batch, layer.heads, 1, -1)
    context = attention(query, *grown)[0]
    return layer.output(context.reshape(batch, 1, d)), tuple(grown)
