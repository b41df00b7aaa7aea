# A loop over the milestones, and the half-angle formula.
def multi_step_rate(step, base, milestones, gamma):
    rate = base
    for milestone in milestones:
        if step >= milestone:
            rate *= gamma
    return rate


def cosine_rate(step, base, t_max):
    return base * math.cos(math.pi * step / t_max / 2) ** 2
