def freeze_backbone(model):
    for name, parameter in model.named_parameters():
        if not name.startswith("fc."):
            parameter.requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    return model
