# One even grid for all layers: what suits the largest weights erases the small ones.
def compress(state: dict[str, Tensor]) -> dict[str, Tensor]:
    largest = max(
        (tensor.abs().max() for tensor in state.values() if tensor.ndim > 1), default=torch.ones(())
    )
    step = largest / 16
    return {
        name: (tensor / step).round() * step if tensor.ndim > 1 and step > 0 else tensor.clone()
        for name, tensor in state.items()
    }
