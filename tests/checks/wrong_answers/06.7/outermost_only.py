# Leaves out the operators inside others.
def operator_table(events):
    found = {}
    for event in events:
        if event.cpu_parent is None and "::" in event.name:
            own = event.time_range.end - event.time_range.start
            inside = sum(child.time_range.end - child.time_range.start for child in event.cpu_children)
            calls, ms = found.get(event.name, (0, 0.0))
            found[event.name] = (calls + 1, ms + (own - inside) / 1000)
    total = sum(ms for _, ms in found.values())
    rows = [(name, calls, ms, 100 * ms / total) for name, (calls, ms) in found.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0]))
