# Averages the last values instead of a centred window.
def moving_average(values, window):
    parts = [values[max(0, i - window + 1) : i + 1] for i in range(len(values))]
    return [sum(part) / len(part) for part in parts]
