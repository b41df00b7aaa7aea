# Keeps a list of calls, and computes the totals when asked.
class CountMatmuls(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []

    @property
    def products(self):
        return len(self.calls)

    @property
    def macs(self):
        return sum(self.calls)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.__name__.split(".")[0]
        if name in ("mm", "bmm"):
            self.calls.append(args[0].numel() * args[1].size(-1))
        elif name in ("addmm", "baddbmm"):
            self.calls.append(args[1].numel() * args[2].size(-1))
        return func(*args, **kwargs)
