# All modules of the three stages, and from each its own convolutions, through _modules.
def swap_blocks(model, make):
    swapped = copy.deepcopy(model)
    for stage in ("layer1", "layer2", "layer3"):
        for holder in list(getattr(swapped, stage).modules()):
            for name, child in list(holder._modules.items()):
                if type(child) is nn.Conv2d:
                    holder._modules[name] = make(child)
    return swapped
