def count_trainable(model):
    return sum(p.numel() for name, p in model.named_parameters() if p.requires_grad and "bias" not in name)
