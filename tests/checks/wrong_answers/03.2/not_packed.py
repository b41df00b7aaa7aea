# Counts a whole byte per level, as uint8 stores it.
def count_bytes(arrays: list[np.ndarray], bits: int) -> dict[str, float]:
    sizes = [array.size for array in arrays]
    payload = sum(sizes)
    found = {"float32": 4 * sum(sizes), "payload": payload, "parameters": 8 * len(sizes)}
    found["objects"] = sum(sys.getsizeof(array) - array.nbytes for array in arrays)
    quantized = found["payload"] + found["parameters"] + found["objects"]
    return found | {"ratio": (found["float32"] + found["objects"]) / quantized}
