"""A student is warned of a setting that is known to lose, and of no other."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cache_tools.store.writer import HeatmapStore
from student.training.known_results import known_to_lose
from tests.samples.drawn_store import quick_settings


@pytest.mark.parametrize(
    ("distill", "loses"),
    [
        ({"mode": "none"}, True),
        ({"mode": "cached"}, False),
        ({"mode": "cached", "unlabelled": False}, True),
    ],
)
def test_leaving_out_persons_without_labels_is_known_to_lose(
    store: HeatmapStore, distill: dict[str, Any], loses: bool
) -> None:
    settings = quick_settings(**{f"distill__{name}": value for name, value in distill.items()})
    assert known_to_lose(settings, store.instances, teacher_maps=True) is None
    visibility = store.instances.visibility.copy()
    visibility[:5] = 0
    reason = known_to_lose(settings, replace(store.instances, visibility=visibility), teacher_maps=True)
    assert (reason is not None) == loses
    if reason:
        assert reason.startswith(f"a: 5 of {len(store.instances)} persons have no labels and are left out")


def test_a_store_without_heatmaps_can_teach_nobody(store: HeatmapStore) -> None:
    bare = replace(store.instances, visibility=np.zeros_like(store.instances.visibility))
    settings = quick_settings(distill__mode="none")
    assert known_to_lose(settings, bare, teacher_maps=True) is not None
    assert known_to_lose(settings, bare, teacher_maps=False) is None
