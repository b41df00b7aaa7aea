# Draws positions instead of values, and recomputes all distances each time.
def initial_centroids(values, clusters, kind, generator):
    match kind:
        case "linear":
            steps = np.arange(clusters) / max(1, clusters - 1)
            return values.min() + steps * (values.max() - values.min())
        case "random":
            return np.array(sorted(values[generator.choice(len(values), size=clusters, replace=False)]))
    places = [generator.choice(len(values))]
    while len(places) < clusters:
        squares = ((values[:, None] - values[places]) ** 2).min(axis=1)
        p = squares / squares.sum() if squares.any() else np.full(len(values), 1 / len(values))
        places.append(generator.choice(len(values), p=p))
    return np.sort(values[places])
