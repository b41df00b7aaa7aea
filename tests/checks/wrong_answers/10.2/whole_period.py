# A whole period of the cosine, so the rate rises again.
def cosine_rate(step, base, t_max):
    return base * (1 + math.cos(2 * math.pi * step / t_max)) / 2


def multi_step_rate(step, base, milestones, gamma):
    return base * gamma ** sum(step >= milestone for milestone in milestones)
