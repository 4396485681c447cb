"""Where pixels are kept changes how often crops are decoded, and no batch."""

from dataclasses import replace

import pytest

from cache_tools.images import Image
from cache_tools.store.writer import HeatmapStore
from student.augment_recipes import recipe
from student.batches import pixel_source
from student.batches.loader import TrainLoader
from student.batches.stream import StreamSettings
from student.settings import Pixels
from tests.samples.drawn_store import INPUT, ROWS, STREAM, equal, take_batches


@pytest.mark.parametrize("size", [INPUT, (64, 48)])
@pytest.mark.parametrize("on_device", [False, True])
def test_batches_are_bit_for_bit_the_same_wherever_pixels_are_kept(
    store: HeatmapStore, size: tuple[int, int], on_device: bool
) -> None:
    """At 64x48 some views take crops as they are and others the same crops shrunk."""
    cells = size[0] // 4, size[1] // 4
    settings = replace(STREAM, input_size=size, heatmap_size=cells, epochs=4, max_rows=11, pixels="jpeg")
    expected = take_batches(store, settings, stop=6, cut_on_device=on_device)
    kept: list[StreamSettings] = [
        replace(settings, pixels="memory"),
        replace(settings, pixels="memory", pixels_gib=5e-4),
        replace(settings, pixels="auto"),
    ]
    if on_device:
        kept += [replace(settings, pixels="device"), replace(settings, pixels="device", pixels_gib=5e-4)]
    for other in kept:
        batches = take_batches(store, other, stop=6, cut_on_device=on_device)
        assert all(equal(a, b) for a, b in zip(expected, batches, strict=True)), other
    assert len({int(row) for batch in expected for row in batch.plan.rows}) == 11


def test_a_crop_is_decoded_once_an_epoch_or_once(store: HeatmapStore, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    decode = pixel_source._decode

    def counted(data: bytes | bytearray, shrink: int, out: Image) -> None:
        decoded.append(len(data))
        decode(data, shrink, out)

    monkeypatch.setattr(pixel_source, "_decode", counted)
    settings = replace(STREAM, epochs=3, workers=1, augment=recipe("none"))
    places: list[tuple[Pixels, bool]] = [("jpeg", False), ("memory", False), ("memory", True), ("device", True)]
    for pixels, on_device in places:
        decoded.clear()
        with TrainLoader([store], replace(settings, pixels=pixels), cut_on_device=on_device) as loader:
            for _ in loader.batches(0, 15):
                pass
        # a crop that comes again before its first batch is on the device is decoded again
        again = 3 * STREAM.batch_size if pixels == "device" else 0
        once = 3 * ROWS if pixels == "jpeg" else ROWS
        assert once <= len(decoded) <= once + again, pixels
