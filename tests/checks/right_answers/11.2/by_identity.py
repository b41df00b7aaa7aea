def count_trainable(model):
    sizes = {}
    for module in model.modules():
        for parameter in module._parameters.values():
            if parameter is not None and parameter.requires_grad:
                sizes[id(parameter)] = parameter.numel()
    return sum(sizes.values())
