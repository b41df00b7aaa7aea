# Leaves out the places where the window does not fit.
def moving_average(values, window):
    return [sum(values[i : i + window]) / window for i in range(len(values) - window + 1)]
