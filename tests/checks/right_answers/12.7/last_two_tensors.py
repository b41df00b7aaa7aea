# The factors are the last two tensors among the arguments.
class CountMatmuls(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.products, self.macs = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if str(func).split(".")[1] in {"mm", "bmm", "addmm", "baddbmm"}:
            left, right = [value for value in args if isinstance(value, Tensor)][-2:]
            batch = left.shape[0] if left.ndim == 3 else 1
            self.products += 1
            self.macs += batch * left.shape[-2] * left.shape[-1] * right.shape[-1]
        return func(*args, **(kwargs or {}))
