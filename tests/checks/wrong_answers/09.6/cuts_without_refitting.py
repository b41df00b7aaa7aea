# Chooses and cuts, and never refits.
def cut_layer_by_layer(blocks: list[nn.Sequential], images: Tensor, counts: list[int], choose: Callable, refit: Callable) -> list[nn.Sequential]:
    cut, inputs = copy.deepcopy(blocks), images
    target = channel_blocks.forward_in_batches(blocks[0][0], images)
    for index, count in enumerate(counts):
        source = channel_blocks.forward_in_batches(blocks[index][1:], target)
        inputs = channel_blocks.forward_in_batches(cut[index], inputs)
        target = channel_blocks.forward_in_batches(blocks[index + 1][0], source)
        kept = choose(inputs, target, cut[index + 1][0], count)
        before, norm, after = cut_channels(cut[index][0], cut[index][1], cut[index + 1][0], kept)
        cut[index][0], cut[index][1], cut[index + 1][0] = before, norm, after
    return cut
