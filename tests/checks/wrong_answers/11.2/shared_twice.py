def count_trainable(model):
    return sum(
        parameter.numel()
        for _, parameter in model.named_parameters(remove_duplicate=False)
        if parameter.requires_grad
    )
