# Heads become part of the batch, as in torch's own code.
def multi_head(layer, x, source, mask=None):
    batch, m, d = x.shape
    n, h = source.shape[1], layer.heads

    def rows(y, length):
        return y.reshape(batch, length, h, d // h).permute(0, 2, 1, 3).reshape(batch * h, length, d // h)

    if mask is not None:
        mask = mask.expand(batch, m, n).repeat_interleave(h, dim=0)
    context, weights = attention(rows(layer.query(x), m), rows(layer.key(source), n), rows(layer.value(source), n), mask)
    context = context.reshape(batch, h, m, d // h).permute(0, 2, 1, 3).reshape(batch, m, d)
    return layer.output(context), weights.reshape(batch, h, m, n)
