# Subtracts what is inside a child a second time.
def operator_table(events):
    def inside(event):
        return sum(c.time_range.end - c.time_range.start + inside(c) for c in event.cpu_children)

    found = {}
    for event in events:
        if "::" in event.name:
            own = event.time_range.end - event.time_range.start
            calls, ms = found.get(event.name, (0, 0.0))
            found[event.name] = (calls + 1, ms + (own - inside(event)) / 1000)
    total = sum(ms for _, ms in found.values())
    rows = [(name, calls, ms, 100 * ms / total) for name, (calls, ms) in found.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0]))
