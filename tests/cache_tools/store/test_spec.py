"""What makes two caches the same, and how a mismatch is told."""

from dataclasses import replace

import pytest

from cache_tools.skeletons import COCO
from cache_tools.store.crops_spec import CropsSpec
from cache_tools.store.spec import CacheMismatch, FrameSpec, StoreSpec, TeacherSpec, make_spec
from tests.samples.small_store import persons, spec_of


def test_a_spec_survives_json() -> None:
    for spec in (spec_of(persons(5)), spec_of(persons(5), crops=None, views=0, frame=FrameSpec("stride"))):
        assert StoreSpec.from_json(spec.to_json()) == spec


def test_fields_of_a_later_version_are_ignored() -> None:
    spec = spec_of(persons(5))
    data = spec.to_json() | {"mood": "good"}
    for part in ("teacher", "annotations", "frame", "crops"):
        data[part] |= {"mood": "good"}
    assert StoreSpec.from_json(data) == spec


def test_a_mismatch_names_every_differing_field_with_both_values() -> None:
    spec = spec_of(persons(5))
    other = replace(
        spec, rows=6, codec="exact8", crops=CropsSpec("all", 75), teacher=replace(spec.teacher, name="vitpose")
    )
    with pytest.raises(CacheMismatch) as caught:
        spec.check(other, "/data/store")
    message = str(caught.value)
    assert message.startswith("/data/store holds another cache")
    for line in (
        "rows: found 6, expected 5",
        'codec: found "exact8", expected "compact"',
        "crops.quality: found 75, expected 90",
        'teacher.name: found "vitpose", expected "rendered"',
    ):
        assert line in message
    assert message.count("found") == 4


def test_frames_differ_by_their_matrix_too() -> None:
    udp, stride = (spec_of(persons(5), frame=FrameSpec(name)) for name in ("udp", "stride"))
    assert [line.split(":")[0] for line in udp.differences(stride)] == ["frame.cell_to_crop", "frame.name"]


def test_surroundings_are_no_mismatch() -> None:
    spec = spec_of(persons(5))
    elsewhere = replace(
        spec,
        versions={"zarr": "9"},
        teacher=replace(spec.teacher, ap=70.1),
        annotations=replace(spec.annotations, source="/elsewhere.json", labelled=False, part=(1, 2)),
    )
    spec.check(elsewhere, "store")
    assert spec.digest == elsewhere.digest
    assert spec.digest != replace(spec, codec="exact8").digest


def test_impossible_specs_are_refused() -> None:
    table = persons(5)
    with pytest.raises(ValueError, match="multiple of 8"):
        spec_of(table, shard_rows=20, chunk_rows=8)
    with pytest.raises(ValueError, match="unknown codec"):
        spec_of(table, codec="zip")
    with pytest.raises(ValueError, match="at least one"):
        replace(spec_of(table), rows=0)
    with pytest.raises(ValueError, match="format version 99"):
        StoreSpec.from_json(spec_of(table).to_json() | {"format_version": 99})


def test_chunks_divide_any_shard_and_stay_small() -> None:
    table, teacher = persons(5), TeacherSpec("t", "d")
    for codec, shard_rows, expected in (
        ("compact", 2048, 8),
        ("compact", 100, 4),
        ("exact8", 2048, 4),
        ("float16", 8, 2),
    ):
        assert make_spec(table, teacher, skeleton=COCO, codec=codec, shard_rows=shard_rows).chunk_rows == expected
    assert make_spec(table, teacher, skeleton=COCO, chunk_rows=64).chunk_rows == 64


def test_what_only_results_depend_on_is_no_mismatch() -> None:
    spec = replace(spec_of(persons(5)), skeleton=replace(COCO, name="mine"))
    later = replace(spec.skeleton, name="other", edges=(), sigmas=None, roles=(("left_femoral_head", 11),))
    other = replace(spec, skeleton=later)
    spec.check(other, "store")
    assert spec.digest == other.digest
