# Fills the window with the first and the last value.
def moving_average(values, window):
    half = window // 2
    padded = [values[0]] * half + list(values) + [values[-1]] * half
    return [sum(padded[i : i + window]) / window for i in range(len(values))]
