# A table that is filled column by column.
def greedy(model, source, start, steps):
    table = torch.zeros(source.shape[0], steps + 1, dtype=torch.long)
    table[:, 0] = start
    memory = model.encode(source)
    for place in range(steps):
        table[:, place + 1] = model.decode(table[:, : place + 1], memory, source)[:, place].topk(1).indices[:, 0]
    return table[:, 1:]
