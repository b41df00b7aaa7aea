# Three cases, entry by entry.
def soft_threshold(w, threshold):
    result = []
    for value in w:
        if value > threshold:
            result.append(value - threshold)
        elif value < -threshold:
            result.append(value + threshold)
        else:
            result.append(0.0)
    return np.array(result)
