# Sorts the list of nodes before each merge; a node is a dict from symbol to depth.
import math


def code_lengths(counts):
    nodes = [(count, {symbol: 0}) for symbol, count in enumerate(counts) if count != 0]
    while len(nodes) > 1:
        nodes.sort(key=lambda node: node[0])
        (a, left), (b, right), *nodes = nodes
        nodes.append((a + b, {symbol: depth + 1 for symbol, depth in (left | right).items()}))
    return nodes[0][1] if nodes else {}


def average_and_entropy(counts, lengths):
    total, average, entropy = sum(counts), 0.0, 0.0
    for symbol, length in lengths.items():
        p = counts[symbol] / total
        average += p * length
        entropy += p * math.log2(1 / p)
    return average, entropy
