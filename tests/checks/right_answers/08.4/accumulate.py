# itertools.accumulate over the stage; returns an array.
import itertools

import numpy as np


def stage_sparsities(accuracies, target):
    def following(stage, accuracy):
        return stage + (stage < 3 and accuracy >= 20 * (stage + 1))

    stages = list(itertools.accumulate(accuracies, following, initial=0))[1:]
    return target * np.array([0, 0.5, 0.75, 1])[np.array(stages, dtype=int)]
