# Runs both networks from the images on for every layer: slow and right.
def cut_layer_by_layer(blocks: list[nn.Sequential], images: Tensor, counts: list[int], choose: Callable, refit: Callable) -> list[nn.Sequential]:
    cut = copy.deepcopy(blocks)
    with torch.no_grad():
        for index, count in enumerate(counts):
            source, inputs = images, images
            for place in range(index + 1):
                source, inputs = blocks[place](source), cut[place](inputs)
            target = blocks[index + 1][0](source)
            kept = choose(inputs, target, cut[index + 1][0], count)
            three = cut_channels(cut[index][0], cut[index][1], cut[index + 1][0], kept)
            cut[index][0], cut[index][1], cut[index + 1][0] = three
            three[2].weight.copy_(refit(inputs[:, kept], target, three[2]))
    return cut
