# New layers, made without initial values, which load the cut state dicts.
def cut_channels(before, norm, after, kept):
    def conv(old, inputs, outputs, state):
        new = nn.utils.skip_init(
            nn.Conv2d, inputs, outputs, old.kernel_size, old.stride, old.padding, old.dilation,
            bias=old.bias is not None, padding_mode=old.padding_mode,
        )
        new.load_state_dict(state)
        return new.train(old.training)

    m = len(kept)
    first = conv(before, before.in_channels, m, {key: value[kept] for key, value in before.state_dict().items()})
    last = conv(after, m, after.out_channels, after.state_dict() | {"weight": after.weight.detach()[:, kept]})
    middle = nn.BatchNorm2d(m, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    middle.load_state_dict({key: value[kept] if value.ndim else value for key, value in norm.state_dict().items()})
    return first, middle.train(norm.training), last
