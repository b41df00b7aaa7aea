# Counts a product at every input pixel, whatever stride and padding.
def conv_macs(weight_shape: tuple[int, int, int, int], height: int, width: int, stride: int, padding: int) -> int:
    outputs, inputs, kernel_height, kernel_width = weight_shape
    rows = height
    columns = width
    return outputs * rows * columns * inputs * kernel_height * kernel_width


def linear_macs(weight_shape: tuple[int, int]) -> int:
    return weight_shape[0] * weight_shape[1]
