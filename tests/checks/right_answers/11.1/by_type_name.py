def freeze_backbone(model):
    inside = {id(parameter) for parameter in model.fc.parameters()}
    for parameter in model.parameters():
        parameter.requires_grad = id(parameter) in inside
    for module in model.modules():
        if "BatchNorm" in type(module).__name__:
            module.training = False
    return model
