"""A ledger entry belongs to its store and its shard; stores of 0.1, whose entries do not say so, stay readable."""

import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cache_tools.store.objects import Objects
from cache_tools.store.reader import StoreReader
from cache_tools.store.sealed_json import seal, to_bytes
from cache_tools.store.verify import find_unnamed, forget_damaged, verify_store
from cache_tools.store.writer import HeatmapStore
from pipeline.commands.verify import command as verify_command
from tests.samples import __file__ as samples
from tests.samples.small_store import built, files_of, persons, spec_of, write

ROWS = 40
OWNERSHIP = {"root", "shard", "sha256"}


@pytest.fixture
def copy(finished_store: Path, tmp_path: Path) -> Path:
    """Copy the store, to damage the copy."""
    return Path(shutil.copytree(finished_store, tmp_path / "store"))


@pytest.fixture
def of_0_1(tmp_path: Path) -> Path:
    """Return a store that kdcache 0.1 wrote."""
    with zipfile.ZipFile(Path(samples).with_name("version_0_1.zip")) as archive:
        archive.extractall(tmp_path)
    return tmp_path / "version_0_1" / "store.zarr"


def transplant(source: Path, target: Path, shard: int) -> None:
    """Copy a shard and its ledger entry from one store to another."""
    for name in files_of(source):
        if name == f"ledger/{shard}.json" or f"/c/{shard}/" in name or name.startswith(f"crops/packed/{shard}/"):
            (target / name).write_bytes((source / name).read_bytes())


def rewrite(path: Path, **fields: object) -> None:
    """Change fields of a sealed file, None removes one, and seal it again."""
    document = {k: v for k, v in (json.loads(path.read_text()) | fields).items() if k != "sha256" and v is not None}
    path.write_bytes(to_bytes(seal(document)))


def read_all(folder: Path) -> None:
    """Read codes and crops of every row."""
    store = HeatmapStore.open(folder)
    store.read_codes(np.arange(store.rows))
    store.read_crops(np.arange(store.rows))


def test_every_entry_names_its_store_and_its_shard(finished_store: Path) -> None:
    root = json.loads((finished_store / "zarr.json").read_text())["attributes"]["kdcache"]["sha256"]
    for shard in range(3):
        entry = json.loads((finished_store / "ledger" / f"{shard}.json").read_text())
        assert (entry["root"], entry["shard"]) == (root, shard)


def test_a_shard_of_another_store_with_its_entry_is_refused_named_and_made_again(
    copy: Path, finished_store: Path, tmp_path: Path
) -> None:
    # the same persons by another teacher
    built(tmp_path / "other", persons(ROWS), codec="exact8")
    transplant(tmp_path / "other", copy, 1)
    with pytest.raises(ValueError, match=r"ledger/1\.json belongs to another store.*--forget-damaged"):
        read_all(copy)
    (damage,) = verify_store(copy)
    assert "ledger/1.json" in damage.place
    assert "belongs to another store" in damage.what
    store = HeatmapStore.open(copy, mode="r+")
    assert forget_damaged(store, verify_store(copy)) == [1]
    assert store.pending() == [1]
    write(store, 1)
    store.finalize()
    assert files_of(copy) == files_of(finished_store)


@pytest.mark.parametrize("between", ["swapped", "copied"])
def test_entries_that_changed_places_are_refused_and_named(copy: Path, between: str) -> None:
    first, second = copy / "ledger" / "0.json", copy / "ledger" / "1.json"
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    if between == "swapped":
        second.write_bytes(data)
    with pytest.raises(ValueError, match=r"ledger/0\.json belongs to shard 1: expected shard 0"):
        read_all(copy)
    assert [damage.shard for damage in verify_store(copy)] == ([0, 1] if between == "swapped" else [0])


def test_entries_of_0_1_that_changed_places_are_refused_by_their_rows(of_0_1: Path) -> None:
    (of_0_1 / "ledger/0.json").write_bytes((of_0_1 / "ledger/1.json").read_bytes())
    with pytest.raises(ValueError, match=r"ledger/0\.json is of rows \[8, 10\]: expected 0 to 8"):
        read_all(of_0_1)
    assert [damage.shard for damage in verify_store(of_0_1)] == [0]


def test_an_entry_of_0_1_in_a_later_store_is_refused(copy: Path) -> None:
    rewrite(copy / "ledger" / "2.json", root=None, shard=None)
    with pytest.raises(ValueError, match=r"ledger/2\.json does not name its store, others of this ledger do"):
        read_all(copy)
    (damage,) = verify_store(copy)
    assert damage.shard == 2


def test_a_store_of_0_1_is_read_and_verify_says_what_it_cannot_know(of_0_1: Path) -> None:
    read_all(of_0_1)
    assert verify_store(of_0_1) == []
    assert find_unnamed(StoreReader.open(of_0_1)) == [0, 1]
    result = CliRunner().invoke(verify_command, [str(of_0_1)])
    assert result.exit_code == 0
    assert "remark: 2 ledger entries do not name their store, because kdcache 0.1 wrote them" in result.output


def test_a_store_of_0_1_that_is_repaired_goes_on_as_it_was(of_0_1: Path, tmp_path: Path) -> None:
    shutil.copytree(of_0_1, tmp_path / "whole")
    store, whole = HeatmapStore.open(of_0_1, mode="r+"), HeatmapStore.open(tmp_path / "whole")
    store.forget(1)
    copy_shard(whole, store, 1)
    store.finalize()
    assert files_of(of_0_1) == files_of(tmp_path / "whole")


def test_a_store_of_today_is_that_of_0_1_but_for_the_names_in_its_ledger(of_0_1: Path, tmp_path: Path) -> None:
    old = HeatmapStore.open(of_0_1)
    new = HeatmapStore.create(tmp_path / "new", old.spec, old.instances)
    for shard in range(old.shards):
        copy_shard(old, new, shard)
    new.finalize()
    files, files_0_1 = files_of(tmp_path / "new"), files_of(of_0_1)
    assert files.keys() == files_0_1.keys()
    for name in files:
        if name.startswith("ledger/"):
            today, before = json.loads(files[name]), json.loads(files_0_1[name])
            assert today.keys() == before.keys() | OWNERSHIP
            assert {k: v for k, v in today.items() if k not in OWNERSHIP} == {
                k: v for k, v in before.items() if k not in OWNERSHIP
            }
        else:
            assert files[name] == files_0_1[name], name


def copy_shard(source: HeatmapStore, target: HeatmapStore, shard: int) -> None:
    """Write a shard of `target` as `source` has it."""
    content = target.new_shard(shard)
    content.copy_rows(np.array(content.rows), source, np.array(content.rows))
    entry = source.entry(shard)
    content.clamped = entry["clamped"]
    content.errors = {int(row): error for row, error in entry["errors"].items()}
    target.write_shard(content)


def test_a_receipt_of_another_ledger_is_no_end_of_a_build(copy: Path) -> None:
    rewrite(copy / "receipt.json", digest=64 * "0")
    with pytest.raises(ValueError, match=r"receipt\.json was written for another ledger than this one: it differs in"):
        HeatmapStore.open(copy, mode="r+").finalize()


def test_a_finished_store_that_lost_an_entry_is_repaired(copy: Path, finished_store: Path) -> None:
    """The receipt alone would say that there is nothing to do."""
    (copy / "ledger" / "1.json").unlink()
    store = HeatmapStore.open(copy, mode="r+")
    with pytest.raises(
        ValueError, match=r"ledger/1\.json is missing, although the store is finished; run `kdcache verify"
    ):
        store.finalize()
    (damage,) = verify_store(copy)
    assert damage.shard == 1
    assert forget_damaged(store, [damage]) == store.pending() == [1]
    write(store, 1)
    store.finalize()
    assert files_of(copy) == files_of(finished_store)


def test_a_receipt_of_another_store_is_refused(copy: Path, tmp_path: Path) -> None:
    built(tmp_path / "other", persons(ROWS), codec="exact8")
    (copy / "receipt.json").write_bytes((tmp_path / "other" / "receipt.json").read_bytes())
    with pytest.raises(ValueError, match=r"receipt\.json belongs to another store"):
        HeatmapStore.open(copy).is_finished()
    assert [damage.place for damage in verify_store(copy)] == ["receipt.json"]


def test_a_root_that_was_deleted_leaves_no_rows_to_another_store(tmp_path: Path) -> None:
    """On storage that is not listed, where another store can be made over what is left of the first."""
    url, table = f"memory://{tmp_path}/store", persons(ROWS)
    built(url, table)
    Objects(url, write=True).delete("zarr.json")
    with pytest.raises(ValueError, match=r"holds receipt\.json of a store whose zarr\.json is gone: delete all of it"):
        HeatmapStore.create(url, spec_of(table, codec="exact8"), table)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"objects": {"../secret": {"bytes": 1, "sha256": "0" * 64}}}, "'../secret' is not one of a store's"),
        ({"objects": {"heatmaps": {"bytes": -1, "sha256": "0" * 64}}}, "expected its bytes and its sha256"),
        ({"objects": {}}, "does not record crops/index/c/1/0"),
        ({"objects": None}, "expected the fingerprint of each object"),
        ({"clamped": {"below": 1}}, "expected the numbers `below` and `above`"),
        ({"errors": {"16": {"cosine": "high"}}}, "errors that are no measurement"),
        ({"errors": {"0": {}}}, "errors that are no measurement"),
        ({"rows": "16-32"}, "is of rows '16-32'"),
        ({"shard": "1"}, "belongs to shard '1'"),
    ],
)
def test_an_entry_of_something_else_is_refused(copy: Path, fields: dict[str, object], problem: str) -> None:
    rewrite(copy / "ledger" / "1.json", **fields)
    with pytest.raises(ValueError, match=re.escape(problem)):
        HeatmapStore.open(copy).read([20])
    assert [damage.shard for damage in verify_store(copy)] == [1]
