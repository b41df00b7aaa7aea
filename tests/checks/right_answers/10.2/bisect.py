# The number of milestones reached by binary search.
import bisect


def multi_step_rate(step, base, milestones, gamma):
    return base * gamma ** bisect.bisect_right(milestones, step)


def cosine_rate(step, base, t_max):
    return base * (1 - math.sin(math.pi * (step / t_max - 0.5))) / 2
