"""Ids and sizes as files write them: whole numbers, and the same ones as text or with a decimal point."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 2**63 - 1
# a float above it no longer tells neighbouring numbers apart
LARGEST_FLOAT = 2**53
LONGEST_TEXT = 40


def whole_number(value: Any) -> int:
    """Return the whole number that a JSON value is: 7, 7.0 and "7" are the same; ValueError for anything else."""
    number = _as_integer(value)
    if number is None or not -LARGEST - 1 <= number <= LARGEST:
        raise ValueError(f"{value!r:.60}: expected a whole number of at most 64 bits")
    return number


def _as_integer(value: Any) -> int | None:
    if type(value) is int:
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= LARGEST_FLOAT else None
    if isinstance(value, str) and len(value) <= LONGEST_TEXT and value.strip().removeprefix("-").isdecimal():
        return int(value)
    return None


def whole_numbers(values: Sequence[Any]) -> NDArray[np.int64] | None:
    """Return the whole numbers that all of `values` are (N,); None where one is none."""
    # nearly every file has plain integers, which numpy checks in one pass
    if all(type(value) is int for value in values):
        try:
            return np.array(values, np.int64).reshape(len(values))
        except OverflowError:
            return None
    try:
        return np.array([whole_number(value) for value in values], np.int64).reshape(len(values))
    except ValueError:
        return None
