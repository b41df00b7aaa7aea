# Multiplies by gamma once, however many milestones have passed.
def multi_step_rate(step, base, milestones, gamma):
    return base * gamma if milestones and step >= milestones[0] else base


def cosine_rate(step, base, t_max):
    return base * (1 + math.cos(math.pi * step / t_max)) / 2
