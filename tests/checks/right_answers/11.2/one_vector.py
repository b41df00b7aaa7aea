def count_trainable(model):
    trained = [p.detach().flatten() for p in model.parameters() if p.requires_grad]
    return len(torch.cat(trained)) if trained else 0
