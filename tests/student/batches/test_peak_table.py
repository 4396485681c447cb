"""Peaks of cached maps are those of the decoded maps, and do not depend on which rows are read together."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cache_tools.codec.profiles import Codes, get_codec
from student.batches.peak_table import BLOCK_ROWS, PeakTable, peaks_on_device
from student.heatmaps.decode import find_peaks
from student.heatmaps.device_codec import DeviceCodec, decode_codes
from tests.samples.gaussian_maps import gaussian_maps

STORED, JOINTS = 3 * BLOCK_ROWS + 3, 17
CODEC = get_codec("compact")


@pytest.fixture(scope="module")
def codes() -> Codes:
    xy = np.random.default_rng(0).uniform(0, [47, 63], (STORED, JOINTS, 2))
    return CODEC.encode(gaussian_maps(xy, (64, 48), 2.0))


@pytest.mark.parametrize("rows", [STORED, BLOCK_ROWS + 1])
def test_peaks_are_those_of_the_decoded_maps(codes: Codes, rows: int) -> None:
    read: list[NDArray[np.int64]] = []

    def codes_of(wanted: NDArray[np.int64]) -> Codes:
        read.append(wanted)
        return codes[wanted]

    device_codec = DeviceCodec.of(CODEC)
    table = PeakTable(codes_of, device_codec, rows=rows, stored=STORED, joints=JOINTS)
    expected = find_peaks(decode_codes(torch.from_numpy(codes), device_codec)).numpy()
    order = np.random.default_rng(1).permutation(rows)
    for part in np.array_split(order, 4):
        np.testing.assert_allclose(table.read(part), expected[part], atol=1e-4)
    # once a row, and nothing the second time
    assert sum(map(len, read)) == len(np.unique(np.concatenate(read)))
    found = len(read)
    again = table.read(np.arange(rows))
    assert len(read) == found
    # another order gives the same bits
    other = PeakTable(codes_of, device_codec, rows=rows, stored=STORED, joints=JOINTS)
    for row in reversed(range(rows)):
        assert np.array_equal(other.read(np.array([row]))[0], again[row])


def test_peaks_found_at_once_are_the_same(codes: Codes) -> None:
    device_codec = DeviceCodec.of(CODEC)
    table = PeakTable(lambda rows: codes[rows], device_codec, rows=STORED, stored=STORED, joints=JOINTS)
    at_once = peaks_on_device(torch.from_numpy(codes), device_codec)
    np.testing.assert_allclose(at_once.numpy(), table.read(np.arange(STORED)), atol=1e-4)
