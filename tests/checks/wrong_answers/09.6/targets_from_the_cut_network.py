# Lets each layer imitate what the network cut so far gives.
def cut_layer_by_layer(blocks: list[nn.Sequential], images: Tensor, counts: list[int], choose: Callable, refit: Callable) -> list[nn.Sequential]:
    cut, inputs = copy.deepcopy(blocks), images
    target = channel_blocks.forward_in_batches(blocks[0][0], images)
    for index, count in enumerate(counts):
        source = channel_blocks.forward_in_batches(blocks[index][1:], target)
        inputs = channel_blocks.forward_in_batches(cut[index], inputs)
        wanted = channel_blocks.forward_in_batches(cut[index + 1][0], inputs)
        target = channel_blocks.forward_in_batches(blocks[index + 1][0], source)
        kept = choose(inputs, wanted, cut[index + 1][0], count)
        before, norm, after = cut_channels(cut[index][0], cut[index][1], cut[index + 1][0], kept)
        inputs = inputs[:, kept]
        after.weight = nn.Parameter(refit(inputs, wanted, after))
        cut[index][0], cut[index][1], cut[index + 1][0] = before, norm, after
    return cut
