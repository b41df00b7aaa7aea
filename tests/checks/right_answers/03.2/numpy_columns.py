# One row per array, summed by NumPy.
def count_bytes(arrays, bits, *, itemsize=4):
    rows = np.array([
        (itemsize * a.size, (a.size * bits + 7) // 8, 2 * itemsize, sys.getsizeof(a) - a.nbytes) for a in arrays
    ])
    floats, payload, parameters, objects = rows.sum(axis=0)
    return dict(float32=floats, payload=payload, parameters=parameters, objects=objects,
                ratio=(floats + objects) / (payload + parameters + objects))
