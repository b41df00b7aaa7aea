# Hands only the last token to the decoder.
def greedy(model: object, source: Tensor, start: int, steps: int) -> Tensor:
    memory = model.encode(source)
    written = torch.full((len(source), 1), start)
    for _ in range(steps):
        latest = model.decode(written[:, -1:], memory, source)[:, -1].argmax(dim=-1, keepdim=True)
        written = torch.cat([written, latest], dim=1)
    return written[:, 1:]
