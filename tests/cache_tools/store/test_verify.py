"""One changed byte anywhere in a store: verify names the place, and reading stops before a wrong heatmap."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.store.sealed_json import seal, to_bytes
from cache_tools.store.verify import forget_damaged, verify_store
from cache_tools.store.writer import HeatmapStore
from pipeline.commands.info import command as info_command
from pipeline.commands.verify import command as verify_command
from tests.samples.small_store import built, files_of, persons, spec_of, write

ROWS = 40
NOT_READ = re.compile(r"crops/packed/\d+/zarr.json|crops/packed/zarr.json")  # for other readers than ours


@pytest.fixture
def copy(finished_store: Path, tmp_path: Path) -> Path:
    """Copy the store, to damage the copy."""
    return Path(shutil.copytree(finished_store, tmp_path / "store"))


def flip(path: Path, position: int, bits: int = 1) -> None:
    """Change one byte; the same once more undoes it."""
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ bits]))


def read_all(folder: Path) -> list[object]:
    """All that a training run reads."""
    store, rows = HeatmapStore.open(folder), np.arange(ROWS)
    views = store.read_view_codes(rows)
    return [
        store.read_receipt(),
        store.instances.digest(),
        store.crop_to_image.tobytes(),
        store.read_codes(rows).tobytes(),
        *(values.tobytes() for values in views),
        store.read_crops(rows),
        store.read_crop_sizes(rows).tobytes(),
        store.read_crop_matrices(rows).tobytes(),
    ]


def kinds(folder: Path) -> list[str]:
    """One file of each kind: their names with numbers left out."""
    return sorted({re.sub(r"\d+", "0", name): name for name in files_of(folder)}.values())


def test_a_whole_store_has_nothing_to_name(finished_store: Path) -> None:
    assert verify_store(finished_store) == []


def test_an_open_store_is_verified_on_the_disk_and_not_in_memory(copy: Path) -> None:
    store = HeatmapStore.open(copy)
    store.load(views=True, crops=True)
    assert store.pending() == []
    assert verify_store(store) == []
    flip(copy / "heatmaps" / "c" / "1" / "0" / "0" / "0", 40)
    (damage,) = verify_store(store)
    assert damage.shard == 1
    (copy / "ledger" / "1.json").unlink()
    (copy / "receipt.json").unlink()
    assert [damage.what for damage in verify_store(store, receipt=False)] == ["not built yet"]


def test_before_there_is_a_receipt_everything_else_is_verified(copy: Path) -> None:
    (copy / "receipt.json").unlink()
    assert [damage.what for damage in verify_store(copy)] == ["not written yet"]
    assert verify_store(copy, receipt=False) == []


def test_where_there_is_no_store_nothing_is_verified(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no store at"):
        verify_store(tmp_path / "nothing")


def test_one_flipped_byte_in_each_kind_of_file_is_named_and_stops_reading(finished_store: Path, copy: Path) -> None:
    names, rng, undamaged = kinds(finished_store), np.random.default_rng(0), read_all(finished_store)
    assert len(names) > 25
    for name in names:
        size, problems = (finished_store / name).stat().st_size, []
        for position in {0, size - 1, int(rng.integers(0, size))}:
            flip(copy / name, position)
            # a space in place of a line's end changes a byte, but not the document
            if not (name.endswith(".json") and same_json(finished_store / name, copy / name)):
                found = verify_store(copy)
                assert any(name in damage.place for damage in found), f"{name} at {position}: {found}"
                try:
                    assert read_all(copy) == undamaged, f"{name} at {position}"
                except ValueError as problem:
                    problems.append(str(problem))
            flip(copy / name, position)
        assert problems or NOT_READ.fullmatch(name), name
        assert all(re.search("damaged|checksum", problem) for problem in problems), problems


def same_json(original: Path, damaged: Path) -> bool:
    """Return whether a changed JSON file still holds the same document."""
    try:
        return json.loads(original.read_bytes()) == json.loads(damaged.read_bytes())
    except ValueError:
        return False


@given(data=st.data())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_never_gives_another_value(data: st.DataObject, finished_store: Path, copy: Path) -> None:
    name = data.draw(st.sampled_from(sorted(files_of(finished_store))))
    position, bits = (
        data.draw(st.integers(0, (finished_store / name).stat().st_size - 1)),
        data.draw(st.integers(1, 255)),
    )
    flip(copy / name, position, bits)
    try:
        assert read_all(copy) == read_all(finished_store)
    except ValueError:
        pass
    finally:
        flip(copy / name, position, bits)


def test_the_rows_of_a_damaged_chunk_are_named(copy: Path) -> None:
    flip(copy / "heatmaps/c/1/0/0/0", 3)  # in the first chunk: rows 16 to 23
    store = HeatmapStore.open(copy)
    assert len(store.read([0, 24, 39])) == 3
    with pytest.raises(ValueError, match=r"heatmaps, shard 1, rows 16-23: wrong checksum; run `kdcache verify"):
        store.read([0, 20])
    with pytest.raises(ValueError, match="rows 16-23"):
        store.load()
    (damage,) = verify_store(copy)
    assert "shard 1 (rows 16-31), heatmaps/c/1/0/0/0, rows 16-23" in damage.place


def test_the_row_of_a_damaged_crop_is_named(copy: Path) -> None:
    flip(copy / "crops/packed/2/c/0", 5)
    with pytest.raises(ValueError, match="the crop of row 32 is damaged"):
        HeatmapStore.open(copy).read_crops([33, 32])
    (damage,) = verify_store(copy)
    assert damage.place.endswith("crops/packed/2/c/0, rows 32-32")


@pytest.mark.parametrize("name", ["heatmaps/c/1/0/0/0", "crops/packed/0/c/0", "ledger/1.json", "instances/box/c/0/0"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert verify_store(copy)
    with pytest.raises(ValueError, match=r"missing|not built"):
        read_all(copy)


def test_shards_that_changed_places_are_found(copy: Path) -> None:
    first, second = copy / "heatmaps/c/0/0/0/0", copy / "heatmaps/c/1/0/0/0"
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert {damage.shard for damage in verify_store(copy)} == {0, 1}


def test_codes_that_no_encoder_writes_are_found(tmp_path: Path) -> None:
    table = persons(8)
    store = HeatmapStore.create(tmp_path / "store", spec_of(table, codec="float16", crops=None, views=0), table)
    content = store.new_shard(0)
    content.add(content.rows, np.zeros((8, 17, 64, 48), np.float32))
    content._arrays["heatmaps"][5, 3, 2, 1] = np.nan
    store.write_shard(content)
    store.finalize()
    (damage,) = verify_store(tmp_path / "store")
    assert "no heatmap, of annotation 105" in damage.what


def test_a_receipt_of_another_ledger_is_found(copy: Path) -> None:
    receipt = HeatmapStore.open(copy).read_receipt()
    assert receipt is not None
    (copy / "receipt.json").write_bytes(to_bytes(seal(receipt | {"digest": 64 * "0"})))
    (damage,) = verify_store(copy)
    assert damage.place == "receipt.json"


def test_an_unfinished_store_says_what_is_missing(tmp_path: Path) -> None:
    table = persons(ROWS)
    store = HeatmapStore.create(tmp_path / "store", spec_of(table), table)
    write(store, 1)
    assert [damage.place for damage in verify_store(tmp_path / "store")] == [
        "shard 0 (rows 0-15)",
        "shard 2 (rows 32-39)",
    ]
    write(store, 0)
    write(store, 2)
    assert [damage.place for damage in verify_store(tmp_path / "store")] == ["receipt.json"]


@pytest.mark.parametrize("name", ["heatmaps/c/1/0/0/0", "crops/index/c/1/0", "ledger/1.json", "receipt.json"])
def test_what_is_damaged_is_forgotten_and_made_again(copy: Path, finished_store: Path, name: str) -> None:
    flip(copy / name, 10)
    shards = forget_damaged(HeatmapStore.open(copy, mode="r+"), verify_store(copy))
    assert shards == ([] if name == "receipt.json" else [1])
    store = HeatmapStore.open(copy, mode="r+")
    assert store.pending() == shards
    for shard in shards:
        write(store, shard)
    store.finalize()
    assert files_of(copy) == files_of(finished_store)


def coco_file(folder: Path, box_width: float = 30.0) -> Path:
    """Write a COCO keypoint file of three persons."""
    annotations = [
        {"id": 10 + i, "image_id": 1, "category_id": 1, "iscrowd": 0, "num_keypoints": 17, "area": 500.0,
         "bbox": [5.0 + i, 6.0, box_width, 40.0], "keypoints": [20, 20, 2] * 17}
        for i in range(3)
    ]  # fmt: skip
    images = [{"id": 1, "file_name": "a.jpg", "height": 100, "width": 90}]
    path = folder / f"persons{box_width:g}.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": []}))
    return path


def test_the_rows_are_compared_with_the_annotations(tmp_path: Path) -> None:
    own, moved = coco_file(tmp_path), coco_file(tmp_path, 31)
    built(tmp_path / "store", read_coco(own))
    assert verify_store(tmp_path / "store", own) == []
    places = {damage.place: damage.what for damage in verify_store(tmp_path / "store", moved)}
    assert places.keys() == {"instances/box"}
    assert "3 rows differ" in places["instances/box"]
    built(tmp_path / "other", persons(4))
    whats = [damage.what for damage in verify_store(tmp_path / "other", own)]
    assert whats[0].startswith("4 of its persons are not in")
    assert whats[1].startswith("3 of its persons are not in")


def invoke(command: object, *arguments: str) -> Result:
    """Run a command as the shell does."""
    return CliRunner().invoke(command, list(arguments))  # type: ignore[arg-type]


def test_the_verify_command_names_damage_and_exits_with_1(copy: Path) -> None:
    sound = invoke(verify_command, str(copy))
    assert sound.exit_code == 0
    assert "is whole" in sound.output
    flip(copy / "heatmaps/c/1/0/0/0", 3)
    broken = invoke(verify_command, str(copy))
    assert broken.exit_code == 1
    assert "rows 16-23" in broken.output
    forgotten = invoke(verify_command, str(copy), "--forget-damaged", "--json")
    assert json.loads(forgotten.output)["forgotten"] == [1]
    assert invoke(verify_command, str(copy), "--recompute", "3").exit_code == 2
    asked = invoke(verify_command, str(copy), "--recompute", "3", "--teacher", "none", "--images", ".")
    assert asked.exit_code == 1
    assert "not recomputed" in asked.output


def test_the_info_command_says_it_all(copy: Path) -> None:
    facts = json.loads(invoke(info_command, str(copy), "--json").output)
    assert facts["finished"]
    assert facts["spec"]["teacher"]["name"] == "rendered"
    text = invoke(info_command, str(copy)).output
    for expected in ("40 persons in 3 shards of 16", "rendered; licence: Apache-2.0", "compact", facts["digest"]):
        assert expected in text
    HeatmapStore.open(copy, mode="r+").forget(2)
    assert "2 of 3 shards" in invoke(info_command, str(copy)).output
