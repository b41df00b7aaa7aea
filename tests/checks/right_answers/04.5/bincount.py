# NumPy's bincount with weights, and a column of zeros in the place of the reserved entry.
class SharedWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, codebook, indices):
        ctx.indices, ctx.like = indices, codebook
        return torch.take(codebook, indices)

    @staticmethod
    def backward(ctx, gradient):
        places = ctx.indices.numpy().ravel()
        sums = np.bincount(places, weights=gradient.numpy().ravel(), minlength=len(ctx.like))
        sums[0] = 0
        return from_numpy(sums).to(ctx.like.dtype), None
