# Keeps the maps of both networks and runs each convolution of the original again for the target.
def cut_layer_by_layer(blocks: list[nn.Sequential], images: Tensor, counts: list[int], choose: Callable, refit: Callable) -> list[nn.Sequential]:
    source = inputs = images
    small = [copy.deepcopy(block) for block in blocks]
    for i in range(len(counts)):
        source, inputs = blocks[i](source), small[i](inputs)
        target = blocks[i + 1][0](source)
        kept = choose(inputs, target, small[i + 1][0], counts[i])
        small[i][0], small[i][1], small[i + 1][0] = cut_channels(small[i][0], small[i][1], small[i + 1][0], kept)
        inputs = inputs[:, kept]
        weight = refit(inputs, target, small[i + 1][0])
        small[i + 1][0].weight = nn.Parameter(weight.detach())
    return small
