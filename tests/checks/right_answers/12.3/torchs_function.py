# torch's functional multi-head attention with the layer's weights.
def multi_head(layer, x, source, mask=None):
    parts = (layer.query, layer.key, layer.value)
    if mask is not None:
        mask = ~mask.expand(len(x), x.shape[1], source.shape[1]).repeat_interleave(layer.heads, dim=0)
    output, weights = nn.functional.multi_head_attention_forward(
        x.transpose(0, 1), source.transpose(0, 1), source.transpose(0, 1), x.shape[-1], layer.heads,
        torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts]),
        None, None, False, 0.0, layer.output.weight, layer.output.bias,
        training=False, attn_mask=mask, average_attn_weights=False,
    )
    return output.transpose(0, 1), weights
