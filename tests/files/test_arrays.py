"""Arrays are written as the safetensors library writes them, whole or stretch by stretch."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save

from recsys_gru.errors import InputError
from recsys_gru.files import arrays_in, write_arrays


class Halves:
    """A matrix that comes in two stretches."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values, self.dtype, self.shape = values, values.dtype, values.shape

    def __iter__(self) -> Any:  # noqa: ANN401
        return iter((self.values[:2], self.values[2:]))


ROWS = np.arange(15, dtype=np.float32).reshape(5, 3)
ARRAYS: dict[str, Any] = {
    "weights/output": ROWS,
    "counts": np.arange(4),
    "zeal é": np.array(3.0),
    "turned": np.asfortranarray(ROWS),
    "none": np.empty((0, 3), np.float32),
    "numbers": np.arange(3, dtype=np.int32),
}


def test_the_bytes_are_those_of_the_safetensors_library() -> None:
    written = io.BytesIO()
    write_arrays(written.write, ARRAYS | {"weights/output": Halves(ROWS)})
    assert written.getvalue() == save({name: np.ascontiguousarray(values) for name, values in ARRAYS.items()})


def test_every_byte_of_a_file_that_is_read_is_seen_in_order(tmp_path: Path) -> None:
    path, seen = tmp_path / "arrays", bytearray()
    with path.open("wb") as file:
        write_arrays(file.write, ARRAYS)
    with path.open("rb") as file:
        found = arrays_in(file, path, seen.extend)
    assert bytes(seen) == path.read_bytes()
    assert found.keys() == ARRAYS.keys()
    assert all(np.array_equal(values, np.atleast_1d(ARRAYS[name])) for name, values in found.items())


def test_numbers_that_no_file_of_the_library_holds_are_refused() -> None:
    with pytest.raises(InputError, match="expected the array 'halves' as one of F64, F32, I64, I32"):
        write_arrays(bytearray().extend, {"halves": np.zeros(2, np.float16)})
