"""Where pixels are kept follows from the setting and from what there is; what can't be is refused with what to do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from student.augment_recipes import recipe
from student.batches import pixel_choice
from student.batches.pixel_choice import GIB, PixelChoice, choose_pixels, needed_bytes
from student.batches.stream import StreamSettings
from student.settings import Pixels
from tests.samples.drawn_store import STREAM, draw_photos, write_store

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
LONG = replace(STREAM, epochs=20)


def choose(
    settings: StreamSettings, needed_gib: float, device: torch.device = CPU, *, stored: bool = True
) -> PixelChoice:
    cut_on_device = device.type == "cuda"
    return choose_pixels(settings, int(needed_gib * GIB), device, stored=stored, cut_on_device=cut_on_device)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the host 16 GiB and a GPU, if there were one, 80 GiB."""
    monkeypatch.setattr(pixel_choice, "available_bytes", lambda: 16 * GIB)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (80 * GIB, 96 * GIB))


@pytest.mark.parametrize(
    ("pixels", "gib", "needed", "device", "place", "budget"),
    [
        ("auto", None, 3, CPU, "memory", 12),
        ("auto", None, 60, CPU, "memory", 12),
        ("auto", None, 600, CPU, "jpeg", 0),
        ("auto", 1.0, 3, CPU, "memory", 1),
        ("auto", 0.0, 3, CPU, "jpeg", 0),
        ("jpeg", None, 3, CPU, "jpeg", 0),
        ("memory", None, 600, CPU, "memory", 12),
        ("auto", None, 3, CUDA, "device", 3),
        ("auto", None, 60, CUDA, "memory", 12),
        ("auto", 2.0, 3, CUDA, "memory", 2),
        ("memory", None, 3, CUDA, "memory", 12),
        ("device", None, 60, CUDA, "device", 40),
        ("device", 2.0, 3, CUDA, "device", 2),
        ("jpeg", None, 3, CUDA, "jpeg", 0),
    ],
)
def test_the_choice_follows_from_the_setting_and_the_machine(
    pixels: Pixels, gib: float | None, needed: float, device: torch.device, place: str, budget: float
) -> None:
    choice = choose(replace(LONG, pixels=pixels, pixels_gib=gib), needed, device)
    assert (choice.place, choice.budget) == (place, budget * GIB)
    assert str(choice).startswith("pixels: decoded ")


def test_the_choice_says_why() -> None:
    assert "need 60 GiB, 16 GiB are available, of which 4 GiB stay free; 12 GiB are kept" in str(choose(LONG, 60))
    assert "need 3 GiB, the GPU has 80 GiB free" in str(choose(LONG, 3, CUDA))
    assert "one epoch" in str(choose(replace(LONG, epochs=1), 3))


def test_a_system_that_does_not_tell_its_memory_keeps_only_what_is_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_choice, "available_bytes", lambda: None)
    assert choose(LONG, 3).place == "jpeg"
    assert choose(replace(LONG, pixels="memory", pixels_gib=2.0), 3).budget == 2 * GIB
    assert choose(replace(LONG, pixels="memory"), 3).budget > 3 * GIB


def test_pixels_that_cannot_be_kept_there_are_refused() -> None:
    with pytest.raises(ValueError, match=r"train\.pixels is device, but views are cut on the CPU"):
        choose(replace(LONG, pixels="device"), 3)
    with pytest.raises(ValueError, match=r"train\.pixels is memory, but pixels come from a folder"):
        choose(replace(LONG, pixels="memory"), 3, stored=False)
    assert choose(LONG, 3, stored=False).place == "jpeg"


def test_needed_bytes_are_those_of_the_densities_that_views_need(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a.zarr", tmp_path / "photos", draw_photos(tmp_path / "photos", 6))
    sizes = store.read_crop_sizes(np.arange(6))
    whole, half = 3 * sizes.prod(1).sum(), 3 * (-(-sizes // 2)).prod(1).sum()
    plain = replace(LONG, augment=recipe("none"))
    assert needed_bytes(store, np.arange(6), plain) == whole
    # crops have 1.0 to 1.25 pixels for one of a 128x96 view
    assert needed_bytes(store, np.arange(6), replace(plain, input_size=(64, 48))) == half
    near_and_far = replace(LONG, augment=recipe("vitpose"), input_size=(64, 48))
    assert needed_bytes(store, np.arange(6), near_and_far) == whole + half
    assert needed_bytes(store, np.arange(3), plain) == 3 * sizes[:3].prod(1).sum()
