"""What a network returns is compared with what it states."""

from typing import Any

import numpy as np
import pytest
import torch

from cache_tools.skeletons import COCO, Skeleton
from student.network_output import heatmaps_of

SHAPE = (2, 17, 64, 48)


class Returning:
    """A network that returns what a test gives it."""

    name, digest, licence, frame, sigma = "it", "0", "none", "udp", 2.0
    input_size, heatmap_size = (256, 192), (64, 48)
    skeleton: Skeleton | None = COCO
    joints: tuple[str | None, ...] | None = None

    def __init__(self, returned: Any) -> None:
        self.returned = returned

    def __call__(self, crops: np.ndarray) -> Any:
        return self.returned


def run(returned: Any, *, finite: bool = False) -> np.ndarray:
    return heatmaps_of(Returning(returned), np.zeros((2, 256, 192, 3), np.uint8), finite=finite)


@pytest.mark.parametrize(
    "returned",
    [
        np.full(SHAPE, 0.5, np.float32),
        np.full(SHAPE, 0.5, np.float16),
        torch.full(SHAPE, 0.5),
        torch.full(SHAPE, 0.5, dtype=torch.float16),
        torch.full(SHAPE, 0.5, dtype=torch.bfloat16),
    ],
)
def test_single_and_half_precision_are_taken(returned: Any) -> None:
    maps = run(returned)
    assert maps.dtype == np.float32
    np.testing.assert_array_equal(maps, np.full(SHAPE, 0.5))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (np.zeros(SHAPE), r"heatmaps in float64: expected float32; return maps\.astype\(numpy\.float32\)"),
        (torch.zeros(SHAPE, dtype=torch.float64), "heatmaps in float64"),
        (np.zeros(SHAPE, np.uint8), "heatmaps in uint8"),
        (torch.zeros(SHAPE, requires_grad=True), "requires grad: run it under torch.inference_mode"),
        ([np.zeros(SHAPE)], "returns a list: expected one array"),
        ({"heatmaps": np.zeros(SHAPE)}, "returns a dict"),
        (np.zeros((2, 17, 32, 24), np.float32), r"shape \(2, 17, 32, 24\) for 2 crops: expected \(2, 17, 64, 48\)"),
        (np.zeros((2, 16, 64, 48), np.float32), r"expected \(2, 17, 64, 48\)"),
        (np.zeros((1, 17, 64, 48), np.float32), r"expected \(2, 17, 64, 48\)"),
        (np.zeros((2, 64, 48, 17), np.float32), r"the joints come last: return maps\.transpose\(0, 3, 1, 2\)"),
        (np.zeros((2, 17, 2), np.float32), r"shape \(2, 17, 2\)"),
    ],
)
def test_other_outputs_are_refused_with_what_was_expected(returned: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(returned)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_on_request(value: float) -> None:
    maps = np.zeros(SHAPE, np.float32)
    maps[1, 3, 5, 7] = value
    run(maps)
    with pytest.raises(ValueError, match="it returns NaN or infinity for 1 of 2 crops"):
        run(maps, finite=True)
