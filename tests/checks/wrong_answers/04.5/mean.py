# Takes the mean of the gradients instead of their sum.
class SharedWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, codebook, indices):
        ctx.save_for_backward(indices)
        ctx.entries = len(codebook)
        return codebook[indices]

    @staticmethod
    def backward(ctx, gradient):
        (indices,) = ctx.saved_tensors
        places = indices.flatten()
        sums = gradient.new_zeros(ctx.entries).index_add(0, places, gradient.flatten())
        sums = sums / places.bincount(minlength=ctx.entries).clamp(min=1)
        sums[0] = 0
        return sums, None
