# Deep copies whose data are replaced by index_select.
def cut_channels(before, norm, after, kept):
    first, middle, last = copy.deepcopy(before), copy.deepcopy(norm), copy.deepcopy(after)
    for tensor in (first.weight, first.bias, middle.weight, middle.bias, middle.running_mean, middle.running_var):
        if tensor is not None:
            tensor.data = tensor.data.index_select(0, kept)
    last.weight.data = last.weight.data.index_select(1, kept)
    first.out_channels = middle.num_features = last.in_channels = kept.numel()
    return first, middle, last
