def count_trainable(model):
    return sum(1 for parameter in model.parameters() if parameter.requires_grad)
