# math.floor of the quotient; int at the end.
import math


def conv_macs(weight_shape, height, width, stride, padding, *, dilation=1):
    outputs, inputs, *kernel = weight_shape
    positions = 1
    for size, k in zip((height, width), kernel):
        positions *= math.floor((size + 2 * padding - dilation * (k - 1) - 1) / stride) + 1
    return int(positions * outputs * inputs * kernel[0] * kernel[1])


def linear_macs(weight_shape):
    return int(np.prod(weight_shape))
