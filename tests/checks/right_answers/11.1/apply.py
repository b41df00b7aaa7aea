def freeze_backbone(model):
    def fix(module):
        if hasattr(module, "running_mean"):
            module.train(False)

    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.split(".")[0] == "fc")
    return model.apply(fix)
