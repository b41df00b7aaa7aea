# Takes each duration from the parent.
def operator_table(events):
    self_ms, calls = {}, {}
    for event in events:
        if "::" not in event.name:
            continue
        duration = event.time_range.elapsed_us() / 1000
        self_ms[event.name] = self_ms.get(event.name, 0.0) + duration
        calls[event.name] = calls.get(event.name, 0) + 1
        if event.cpu_parent is not None and "::" in event.cpu_parent.name:
            self_ms[event.cpu_parent.name] = self_ms.get(event.cpu_parent.name, 0.0) - duration
    total = sum(self_ms.values())
    rows = [[name, calls[name], round(ms, 9), 100 * ms / total] for name, ms in self_ms.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0]))
