def count_trainable(model):
    return sum(parameter.numel() for parameter in model.parameters())
