def freeze_backbone(model):
    model.requires_grad_(False)
    model.fc.requires_grad_(True)
    for module in model.children():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    return model
