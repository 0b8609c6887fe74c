"""What Python users pass as images or scores, as NumPy arrays: arrays, tensors, lists, masked arrays, quantities."""

from typing import Any

import numpy as np


def as_images(images: Any, pixels: int, masks: bool) -> np.ndarray:
    """Images as floats [n, pixels, pixels]. One image [pixels, pixels] and a channel axis of length 1 are accepted.

    Args:
        masks: whether pixels may be masked; they become NaN.

    Raises:
        ValueError: if the images have another shape, no pixels that are numbers, or masked pixels without `masks`.
    """
    array = as_numbers(images, "images")
    if np.ma.is_masked(images) and not masks:
        raise ValueError(
            f"{np.ma.count_masked(images)} of the pixels are masked, which this detector does not take: fill them"
        )
    stack = array[None] if array.ndim == 2 else array
    if stack.ndim == 4 and 1 in (stack.shape[1], stack.shape[3]):
        stack = stack.reshape(len(stack), *stack.shape[2:]) if stack.shape[1] == 1 else stack[..., 0]
    if stack.ndim != 3 or stack.shape[1:] != (pixels, pixels):
        raise ValueError(f"images have shape {array.shape}; this model takes (n, {pixels}, {pixels})")
    return stack


def as_numbers(values: Any, name: str) -> np.ndarray:
    """An array, a tensor, a list of them, or a number, as a NumPy array of floats; masked values become NaN.

    Args:
        name: what the values are, for messages.

    Raises:
        ValueError: if they are no real numbers, or if the arrays of a list differ in shape.
    """
    try:
        array = _array(values, name)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{name} ({type(values).__name__}) are no array of numbers: {reason}") from error
    if array.dtype.kind in "iu":
        return array.astype(np.float64)
    if array.dtype.kind != "f":
        raise ValueError(f"{name} are {array.dtype} of shape {array.shape}; they must be real numbers")
    return array


def _array(values: Any, name: str) -> np.ndarray:
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "iuf":
        return np.ma.filled(values.astype(np.promote_types(values.dtype, np.float32)), np.nan)
    if hasattr(values, "detach"):
        return _of_tensor(values.detach())
    if name == "images" and hasattr(values, "to_value"):
        return np.asarray(values.to_value("electron / s"))
    if isinstance(values, (list, tuple)) and any(hasattr(value, "shape") for value in values):
        arrays = [as_numbers(value, name) for value in values]
        if len(shapes := sorted({array.shape for array in arrays})) > 1:
            raise ValueError(f"they differ in shape, {shapes[0]} and {shapes[-1]}")
        return np.stack(arrays)
    return np.asarray(values)


def _of_tensor(tensor: Any) -> np.ndarray:
    """A tensor of any device and layout; NumPy has no half-precision type of PyTorch's range."""
    tensor = tensor.to_dense() if tensor.is_sparse else tensor
    tensor = tensor.cpu().resolve_conj().resolve_neg()
    return tensor.float().numpy() if tensor.dtype.is_floating_point and tensor.itemsize < 4 else tensor.numpy()
