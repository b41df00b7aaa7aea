# Counts the positions of the kernel with range, and multiplies with math.prod.
import math


def conv_macs(weight_shape, height, width, stride, padding):
    _, _, kh, kw = weight_shape
    rows = len(range(0, height + 2 * padding - kh + 1, stride))
    columns = len(range(0, width + 2 * padding - kw + 1, stride))
    return math.prod(weight_shape) * rows * columns


def linear_macs(weight_shape):
    return math.prod(weight_shape)
