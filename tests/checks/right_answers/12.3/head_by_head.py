# A loop over heads with slices of the projections' weights.
def multi_head(layer, x, source, mask=None):
    size = x.shape[-1] // layer.heads
    outputs, weights = [], []
    for head in range(layer.heads):
        rows = slice(head * size, (head + 1) * size)
        q, k, v = (
            nn.functional.linear(y, part.weight[rows], part.bias[rows])
            for y, part in ((x, layer.query), (source, layer.key), (source, layer.value))
        )
        output, weight = attention(q, k, v, mask)
        outputs.append(output)
        weights.append(weight)
    return layer.output(torch.cat(outputs, dim=-1)), torch.stack(weights, dim=1)
