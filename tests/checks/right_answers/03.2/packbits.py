# Packs bits with NumPy to count the bytes.
def count_bytes(arrays, bits):
    payload = sum(np.packbits(np.zeros(array.size * bits, np.uint8)).nbytes for array in arrays)
    floats = sum(array.astype(np.float32).nbytes for array in arrays)
    objects = sum(array.__sizeof__() - array.nbytes for array in arrays)
    objects += sum(sys.getsizeof(array) - array.__sizeof__() for array in arrays)
    sizes = {"ratio": (floats + objects) / (payload + 8 * len(arrays) + objects), "objects": objects}
    return sizes | {"parameters": 8 * len(arrays), "payload": payload, "float32": floats}
