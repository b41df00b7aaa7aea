# topk among the channels that entered, filled up with the lowest of the others.
def choose_channels(Z, y, count):
    gram, correlation = (Z.T @ Z).double(), (Z.T @ y).double()
    _, _, path = lars_path_gram(
        correlation.numpy(), gram.numpy(), n_samples=len(Z), method="lasso", max_iter=50 * Z.shape[1]
    )
    sizes = torch.from_numpy(path).abs()
    enough = ((sizes > 0).sum(0) >= count).nonzero().flatten()
    size = sizes[:, enough[0] if len(enough) else -1]
    entered = int((size > 0).sum())
    chosen = size.topk(min(count, entered)).indices.tolist()
    others = [i for i in range(len(size)) if i not in chosen and size[i] == 0]
    return torch.tensor(sorted(chosen + others[: count - len(chosen)]), dtype=torch.int64)
