# Does not group by name.
def operator_table(events):
    rows = []
    for event in events:
        if "::" in event.name:
            own = event.time_range.end - event.time_range.start
            own -= sum(child.time_range.end - child.time_range.start for child in event.cpu_children)
            rows.append((event.name, 1, own / 1000))
    total = sum(row[2] for row in rows)
    return sorted(((*row, 100 * row[2] / total) for row in rows), key=lambda row: (-row[2], row[0]))
