# The reserved entry gets a gradient, so training moves the zero.
class SharedWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, codebook, indices):
        ctx.save_for_backward(indices)
        ctx.entries = len(codebook)
        return codebook[indices]

    @staticmethod
    def backward(ctx, gradient):
        (indices,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.entries).index_add(0, indices.flatten(), gradient.flatten()), None
