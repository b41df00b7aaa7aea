# Counts the products of one output channel.
def conv_macs(weight_shape: tuple[int, int, int, int], height: int, width: int, stride: int, padding: int) -> int:
    outputs, inputs, kernel_height, kernel_width = weight_shape
    rows = (height + 2 * padding - kernel_height) // stride + 1
    columns = (width + 2 * padding - kernel_width) // stride + 1
    return rows * columns * inputs * kernel_height * kernel_width


def linear_macs(weight_shape: tuple[int, int]) -> int:
    return weight_shape[0] * weight_shape[1]
