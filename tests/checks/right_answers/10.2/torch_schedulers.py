# torch's own schedulers, asked for a single step.
def followed(make, step, base):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=base)
    scheduler = make(optimizer)
    for _ in range(step):
        optimizer.step()
        scheduler.step()
    return optimizer.param_groups[0]["lr"]


def multi_step_rate(step, base, milestones, gamma):
    def make(optimizer):
        return torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, gamma)

    return followed(make, step, base)


def cosine_rate(step, base, t_max):
    return followed(lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, t_max), step, base)
