# One pass for each name.
def operator_table(events):
    def own(event):
        children = [child.time_range for child in event.cpu_children]
        return event.time_range.elapsed_us() - sum(span.elapsed_us() for span in children)

    operators = [event for event in events if "::" in event.name]
    whole = sum(map(own, operators))
    table = []
    for name in sorted({event.name for event in operators}):
        times = [own(event) for event in operators if event.name == name]
        table.append((name, len(times), 1e-3 * sum(times), 100 * sum(times) / whole))
    return sorted(table, key=lambda row: row[2], reverse=True)
