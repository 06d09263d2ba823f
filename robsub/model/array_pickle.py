"""Reading pickled arrays while building nothing else: Detectron's weights are pickles of Python 2.

A pickle is a program. Here each name that it may call is one of the stand-ins below, which only collect numbers; numpy
itself is not called either, because a forged dtype can make it read foreign memory.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_adapters.problems import InputError

NUMBERS = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}
"""Element types that an array may have."""


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a pickled dictionary, or of the dictionary under its key ``blobs``; other values are passed over.

    Args:
        path: a pickle of Python 2 or 3, such as Detectron's ``model_final.pkl`` and ``R-50-GN.pkl``.

    Raises:
        InputError: the file is missing, truncated, holds no arrays, or wants to build anything but arrays.
    """
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="latin1").load()
        blobs = content.get("blobs", content)
        arrays = {str(name): value.array for name, value in blobs.items() if isinstance(value, _Array)}
    except Exception as error:  # a damaged or forged pickle can fail in any way
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            path, found=f"a pickle that is not read ({reason})", expected="a whole pickle of a dictionary of arrays",
            fix="Get the file again from where Detectron's model zoo points to.",
        ) from error  # fmt: skip
    if not arrays:
        raise InputError(path, found="a pickle without arrays", expected="weights", fix="Name another file.")
    return arrays


class _StandIn:
    """Collects arguments. Its ``__setstate__`` keeps a pickle from setting attributes, on classes too."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a state where none belongs")


class _Bytes(_StandIn):
    """For ``_codecs.encode``: how Python 3 writes bytes in the old protocols."""

    def __bytes__(self) -> bytes:
        return str(self.arguments[0]).encode("latin1")


class _DType(_StandIn):
    """For ``numpy.dtype``."""

    def __init__(self, code: str, *arguments: Any) -> None:
        super().__init__(*arguments)
        if code not in NUMBERS:
            raise pickle.UnpicklingError(f"elements of type {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array(_StandIn):
    """For ``numpy.ndarray`` and ``_reconstruct``, which is followed by the array's state."""

    array: NDArray[Any]

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        self.array = _array(data, dtype, shape, "F" if fortran else "C")


class _ArrayOfBuffer(_Array):
    """For ``_frombuffer``, by which NumPy writes arrays since pickle's protocol 5."""

    def __init__(self, data: Any, dtype: Any, shape: Any, order: Any, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.array = _array(data, dtype, shape, order)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a state where none belongs")


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    if isinstance(data, str | _Bytes):
        data = data.encode("latin1") if isinstance(data, str) else bytes(data)
    if not isinstance(data, bytes | bytearray) or order not in ("C", "F"):
        raise pickle.UnpicklingError(f"numbers in a {type(data).__name__} of order {order!r}")
    return np.frombuffer(data, dtype.dtype).reshape(shape, order=order)


class _Dict(dict[Any, Any]):
    """For ``collections.OrderedDict``."""

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a state where none belongs")


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name; any other name is refused before anything is called."""
        match module.replace("numpy._core", "numpy.core"), name:
            case ("numpy.core.multiarray", "_reconstruct") | ("numpy", "ndarray"):
                return _Array
            case "numpy.core.numeric", "_frombuffer":
                return _ArrayOfBuffer
            case "numpy", "dtype":
                return _DType
            case "numpy.core.multiarray", "scalar":
                return _StandIn
            case "_codecs", "encode":
                return _Bytes
            case "collections", "OrderedDict":
                return _Dict
        raise pickle.UnpicklingError(f"it wants to call {module}.{name}")
