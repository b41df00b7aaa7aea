# np.digitize, and np.add.at for the sums.
def lloyd_step(values, centroids):
    nearest = np.digitize(values, (centroids[:-1] + centroids[1:]) / 2)
    sums, counts = np.zeros(len(centroids)), np.zeros(len(centroids))
    np.add.at(sums, nearest, values)
    np.add.at(counts, nearest, 1)
    moved = np.array(centroids, dtype=float)
    moved[counts > 0] = sums[counts > 0] / counts[counts > 0]
    return moved
