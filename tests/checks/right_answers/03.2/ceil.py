# math.ceil, and a loop over arrays; counts are floats.
import math


def count_bytes(arrays, bits):
    totals = {"float32": 0.0, "payload": 0.0, "parameters": 0.0, "objects": 0.0}
    for array in arrays:
        totals["float32"] += 4 * array.size
        totals["payload"] += math.ceil(array.size * bits / 8)
        totals["parameters"] += 8
        totals["objects"] += sys.getsizeof(array) - array.size * array.itemsize
    before = totals["float32"] + totals["objects"]
    after = totals["payload"] + totals["parameters"] + totals["objects"]
    totals["ratio"] = before / after
    return totals
