# A list of columns, stacked at the end.
def greedy(model, source, start, steps):
    memory, columns = model.encode(source), [source.new_full((len(source),), start)]
    while len(columns) <= steps:
        logits = model.decode(torch.stack(columns, dim=1), memory, source)
        columns.append(logits[:, -1, :].max(dim=-1).indices)
    return torch.stack(columns[1:], dim=1)
