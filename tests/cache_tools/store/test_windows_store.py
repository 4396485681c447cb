"""Stores of the codec `windows`: read as docs/store-format.md says, verified, merged, refused by older readers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache_tools.codec.windows import WindowsCodec
from cache_tools.skeletons import Skeleton
from cache_tools.store.merge import merge_stores
from cache_tools.store.spec import COCO_VERSION, FORMAT_VERSION, CacheMismatch, StoreSpec
from cache_tools.store.verify import verify_store
from cache_tools.store.writer import HeatmapStore
from tests.samples.fitted_windows import fitted_codec
from tests.samples.forging import root_field
from tests.samples.gaussian_maps import gaussian_maps
from tests.samples.small_store import files_of, peaks, persons, spec_of, write, write_maps

ROWS = 20


def built(folder: Path, codec: WindowsCodec | None = None, first_id: int = 100, **fields: Any) -> HeatmapStore:
    """Write a finished store of the codec and open it."""
    codec, table = codec or fitted_codec(), persons(ROWS, first_id)
    spec = spec_of(table, codec="windows", basis=codec.digest, **fields)
    store = HeatmapStore.create(folder, spec, table, codec)
    for shard in store.pending():
        write(store, shard)
    store.finalize()
    return HeatmapStore.open(folder)


def test_a_store_reads_what_was_written(tmp_path: Path) -> None:
    store = built(tmp_path / "store")
    rows = np.arange(ROWS)
    exact = peaks(store.instances)
    assert np.abs(store.read(rows) - exact).max() < 0.1
    assert np.abs(store.read_views(rows).maps - 0.5 * exact[:, None]).max() < 0.1
    assert verify_store(tmp_path / "store") == []
    receipt = store.read_receipt()
    assert receipt is not None
    assert (receipt["unfit"], receipt["error"]["rmse_at_peaks"] < 0.008) == (0, True)
    store.load(views=True)
    assert np.array_equal(store.read(rows), HeatmapStore.open(tmp_path / "store").read(rows))


def test_the_document_reads_it_with_numpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[3] / "docs" / "store-format.md").read_text()
    code = next(block.split("```")[0] for block in text.split("```python\n") if 'codec["basis"]' in block)
    assert len([line for line in code.strip().splitlines() if "import" not in line]) <= 9
    assert "cache_tools" not in code
    store = built(tmp_path / "store", crops=None, views=0)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code, names)
    assert np.array_equal(np.asarray(names["heatmaps"]), store.read([7])[0])


def test_an_older_kdcache_refuses_it(tmp_path: Path) -> None:
    document = built(tmp_path / "store", crops=None, views=0).spec_json
    # readers of version 1 and 2 read no other
    assert document["format_version"] not in (COCO_VERSION, FORMAT_VERSION)
    with pytest.raises(ValueError, match="format_version is 2: expected 3"):
        StoreSpec.from_json(document | {"format_version": 2})


def test_maps_that_do_not_fit_are_counted(tmp_path: Path) -> None:
    codec, table = fitted_codec(), persons(ROWS)
    spec = spec_of(table, codec="windows", basis=codec.digest, crops=None, views=0)
    store = HeatmapStore.create(tmp_path / "store", spec, table, codec)
    maps = peaks(table)
    maps[3, :5] = 0.5
    for shard in store.pending():
        rows = store.shard_rows(shard)
        write_maps(store, shard, maps[rows.start : rows.stop])
    assert store.finalize()["unfit"] == 5
    assert HeatmapStore.open(tmp_path / "store").measured_error()["max_error"] > 0.1


def test_133_joints(tmp_path: Path) -> None:
    codec, table, joints = fitted_codec(), persons(8), 133
    names = tuple(f"joint {number}" for number in range(joints))
    table = table.__class__(**{
        **vars(table), "keypoints": np.zeros((8, joints, 2)), "visibility": np.zeros((8, joints), np.uint8)
    })  # fmt: skip
    spec = spec_of(
        table, skeleton=Skeleton(names=names), codec="windows", basis=codec.digest, crops=None, views=0, shard_rows=8
    )
    store = HeatmapStore.create(tmp_path / "store", spec, table, codec)
    maps = gaussian_maps(np.random.default_rng(0).uniform([0, 0], [47, 63], (8, joints, 2)))
    write_maps(store, 0, maps)
    assert store.finalize()["bytes_per_row"]["heatmaps"] < 20 * joints
    assert np.abs(HeatmapStore.open(tmp_path / "store").read(range(8)) - maps).max() < 0.1


def test_only_stores_of_one_basis_merge(tmp_path: Path) -> None:
    for number, first_id in enumerate((100, 200)):
        built(tmp_path / str(number), first_id=first_id)
    receipt = merge_stores([tmp_path / "0", tmp_path / "1"], tmp_path / "merged")
    assert (receipt["rows"], receipt["unfit"]) == (2 * ROWS, 0)
    parts = [HeatmapStore.open(tmp_path / name) for name in "01"]
    found = HeatmapStore.open(tmp_path / "merged").read_codes(range(2 * ROWS))
    assert np.array_equal(found, np.concatenate([part.read_codes(range(ROWS)) for part in parts]))
    built(tmp_path / "other", fitted_codec(seed=6), first_id=300)
    with pytest.raises(CacheMismatch, match='basis: found "'):
        merge_stores([tmp_path / "0", tmp_path / "other"], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_basis_that_the_spec_does_not_name_is_refused(tmp_path: Path) -> None:
    built(tmp_path / "store", crops=None, views=0)
    root_field("codec.basis", fitted_codec(seed=6).basis.tolist())(tmp_path / "store")
    with pytest.raises(ValueError, match="the basis of the codec is"):
        HeatmapStore.open(tmp_path / "store")
    table, before = persons(ROWS), files_of(tmp_path)
    spec = spec_of(table, codec="windows", basis="0" * 64)
    with pytest.raises(ValueError, match="the basis of the codec is"):
        HeatmapStore.create(tmp_path / "new", spec, table, fitted_codec())
    with pytest.raises(ValueError, match="not known by its name"):
        HeatmapStore.create(tmp_path / "new", spec, table)
    assert files_of(tmp_path) == before
