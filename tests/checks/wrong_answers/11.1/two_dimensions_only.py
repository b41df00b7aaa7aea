def freeze_backbone(model):
    model.requires_grad_(False)
    model.fc.requires_grad_(True)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return model
