# Makes as many sums as there are indices, and not one per entry.
class SharedWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, codebook, indices):
        ctx.save_for_backward(indices)
        ctx.entries = len(codebook)
        return codebook[indices]

    @staticmethod
    def backward(ctx, gradient):
        (indices,) = ctx.saved_tensors
        sums = gradient.new_zeros(int(indices.max()) + 1).index_add(0, indices.flatten(), gradient.flatten())
        sums[0] = 0
        return sums, None
