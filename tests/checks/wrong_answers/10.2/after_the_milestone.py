# The rate falls one step late.
def multi_step_rate(step, base, milestones, gamma):
    return base * gamma ** sum(step > milestone for milestone in milestones)


def cosine_rate(step, base, t_max):
    return base * (1 + math.cos(math.pi * step / t_max)) / 2
