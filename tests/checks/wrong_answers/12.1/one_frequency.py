# Turns every pair by the same angle.
def positional_encoding(positions: Tensor, width: int) -> Tensor:
    omega = 10_000 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = positions[:, None].double() * omega
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def shift_matrix(k: int, width: int) -> Tensor:
    angles = k * torch.ones(width // 2, dtype=torch.float64)
    sines, cosines = angles.sin(), angles.cos()
    turns = torch.stack([cosines, -sines, sines, cosines], dim=-1).view(-1, 2, 2)
    return torch.block_diag(*turns)
