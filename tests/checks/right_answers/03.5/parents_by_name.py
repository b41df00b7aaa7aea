# Splits each full name into parent and attribute, and asks the copy for the parent.
def swap_blocks(model, make):
    swapped = copy.deepcopy(model)
    names = [name for name, module in swapped.named_modules() if isinstance(module, nn.Conv2d)]
    for name in names:
        if name.startswith(("layer1.", "layer2.", "layer3.")):
            parent, _, attribute = name.rpartition(".")
            setattr(swapped.get_submodule(parent), attribute, make(swapped.get_submodule(name)))
    return swapped
