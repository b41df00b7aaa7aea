# Divides by the window at the edges too, as if there were zeros beyond them.
def moving_average(values, window):
    half = window // 2
    return [sum(values[max(0, i - half) : i + half + 1]) / window for i in range(len(values))]
