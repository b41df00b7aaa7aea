# Uses the self time that each of PyTorch's events has.
def operator_table(events):
    from collections import defaultdict

    calls, self_us = defaultdict(int), defaultdict(float)
    for event in events:
        if event.name.count("::"):
            calls[event.name] += 1
            self_us[event.name] += event.self_cpu_time_total
    total = sum(self_us.values())
    names = sorted(calls)
    names.sort(key=lambda name: self_us[name], reverse=True)
    return [(name, calls[name], self_us[name] / 1e3, self_us[name] / total * 100) for name in names]
