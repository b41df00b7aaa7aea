# Adds product by product.
def derived_counts(N, h, T):
    def attention(project, heads):
        return project + 2 * heads + 1

    def layers(own, cross):
        return sum(own + 2 for _ in range(N)), sum(own + cross + 2 for _ in range(N))

    counts = {}
    for key, own, cross in (
        ("per head", attention(3 * h, h), attention(3 * h, h)),
        ("batched", attention(3, 1), attention(3, 1)),
        ("packed", attention(1, 1), attention(2, 1)),
        ("fused", attention(1, 0), attention(2, 0)),
    ):
        counts[key] = sum(layers(own, cross)) + 1
    encoder, decoder = layers(attention(3 * h, h), attention(3 * h, h))
    counts["decoder only"] = encoder + 1
    counts["decoding"] = counts["cached"] = encoder
    for _ in range(T):
        counts["decoding"] += decoder + 1
        counts["cached"] += decoder - 2 * h * N + 1
    counts["cached"] += 2 * h * N
    return counts
