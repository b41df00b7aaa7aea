def freeze_backbone(model):
    model = copy.deepcopy(model)
    model.requires_grad_(False)
    model.fc.requires_grad_(True)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    return model
