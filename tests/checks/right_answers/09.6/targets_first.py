# Computes all targets of the original network before anything is cut.
def cut_layer_by_layer(blocks: list[nn.Sequential], images: Tensor, counts: list[int], choose: Callable, refit: Callable) -> list[nn.Sequential]:
    targets, maps = [], images
    for block, after in zip(blocks, blocks[1:]):
        maps = channel_blocks.forward_in_batches(block, maps)
        targets.append(channel_blocks.forward_in_batches(after[0], maps))
    done, current, inputs = [], copy.deepcopy(blocks[0]), images
    for after, target, count in zip(copy.deepcopy(blocks[1:]), targets, counts):
        inputs = channel_blocks.forward_in_batches(current, inputs)
        kept = choose(inputs, target, after[0], count)
        first, norm, second = cut_channels(current[0], current[1], after[0], kept)
        inputs = inputs[:, kept]
        second.weight = nn.Parameter(refit(inputs, target, second))
        done.append(nn.Sequential(first, norm, *current[2:]).eval())
        current = nn.Sequential(second, *after[1:]).eval()
    return [*done, current]
