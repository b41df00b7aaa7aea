# No attention function: two einsums and a softmax.
Cache = tuple[Tensor, Tensor]


def attend_next(layer, x, cache):
    def heads(part):
        return part(x).reshape(len(x), layer.heads, 1, -1)

    query, key, value = heads(layer.query), heads(layer.key), heads(layer.value)
    keys, values = (key, value) if cache is None else (torch.cat([a, b], 2) for a, b in zip(cache, (key, value)))
    weights = (torch.einsum("bhqe,bhke->bhqk", query, keys) / query.shape[-1] ** 0.5).softmax(-1)
    return layer.output(torch.einsum("bhqk,bhke->bqhe", weights, values).flatten(2)), (keys, values)
