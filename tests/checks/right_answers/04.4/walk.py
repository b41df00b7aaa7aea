# Walks through the bins until the share is reached.
def density_centroids(values, clusters, bins, power):
    low, high = float(min(values)), float(max(values))
    if low == high:
        return np.array([low] * clusters)
    width = (high - low) / bins
    counts = [0] * bins
    for value in values:
        counts[min(int((value - low) / width), bins - 1)] += 1
    mass = [float(count) ** power for count in counts]
    result = []
    for i in range(clusters):
        left, b = (i + 0.5) / clusters * sum(mass), 0
        while left > mass[b]:
            left -= mass[b]
            b += 1
        result.append(low + (b + left / mass[b]) * width)
    return np.array(result)
