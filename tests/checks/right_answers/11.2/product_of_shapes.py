def count_trainable(model):
    total = 0
    for parameter in model.parameters():
        if parameter.requires_grad:
            size = 1
            for side in parameter.shape:
                size *= side
            total += size
    return total
