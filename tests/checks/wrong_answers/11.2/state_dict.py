def count_trainable(model):
    return sum(tensor.numel() for tensor in model.state_dict().values())
