# Searches the codebook with the 0 in it: small weights get index 0.
def share(weight: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centroids = np.sort(np.append(0.0, centroids))
    middles = (centroids[1:] + centroids[:-1]) / 2
    nearest = np.searchsorted(middles, weight, side="right")
    place = int(np.flatnonzero(centroids == 0)[0])
    order = np.append(place, np.delete(np.arange(len(centroids)), place))
    return centroids[order], np.argsort(order)[nearest]
