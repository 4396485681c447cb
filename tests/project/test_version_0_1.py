"""What kdcache 0.1 wrote opens and reads the same, and a store of COCO's joints is written as it wrote it."""

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cache_tools.store.writer import HeatmapStore
from pipeline.cli import kdcache
from tests.samples import __file__ as samples
from tests.samples.small_store import cones, files_of, noise_in_place_of_crops, persons, spec_of, write

#: of the 57 files that 0.1 (commit 032ca59) wrote for the same forty persons, by numcodecs 0.16.6
DIGEST_OF_0_1 = "b13286cc5c7a4f475c3ce3cff4610701960e0c8c9a79cac21d8b563c471efe8d"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with store.zarr, run, metrics.json, cost.json, table.csv of 0.1, and what 0.1 read of them."""
    folder = tmp_path_factory.mktemp("version")
    with zipfile.ZipFile(Path(samples).with_name("version_0_1.zip")) as archive:
        archive.extractall(folder)
    return folder / "version_0_1"


def run(*arguments: str | Path) -> str:
    """Run a `kdcache` command and return what it printed."""
    result = CliRunner().invoke(kdcache, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


def test_its_store_is_whole_and_has_the_same_digest_and_heatmaps(written: Path) -> None:
    run("verify", written / "store.zarr")
    store = HeatmapStore.open(written / "store.zarr")
    assert store.spec.digest == json.loads((written / "expected.json").read_text())["spec_digest"]
    expected = np.load(written / "expected.npz")["store_maps"]
    np.testing.assert_allclose(store.read([0, 9]), expected, atol=1e-3)
    assert json.loads((written / "receipt.json").read_text()) == store.read_receipt()


def test_its_run_gives_the_same_heatmaps(written: Path) -> None:
    from pipeline.teachers.load import load_network

    noise = np.random.default_rng(0).integers(0, 256, (2, 6, 4, 3))
    crops = np.kron(noise, np.ones((1, 16, 16, 1))).astype(np.uint8)
    maps = load_network(f"student:{written / 'run'}", "cpu")(crops)
    np.testing.assert_allclose(maps, np.load(written / "expected.npz")["student_maps"], atol=2e-6)


def test_its_run_is_recognised_as_finished(written: Path) -> None:
    settings = json.loads((written / "run" / "run.json").read_text())["settings"]
    (written / "settings.json").write_text(json.dumps(settings))
    before = (written / "run" / "run.json").read_bytes()
    run(
        "train", written / "store.zarr", "--out", written / "run", "--settings", written / "settings.json",
        "--device", "cpu",
    )  # fmt: skip
    assert (written / "run" / "run.json").read_bytes() == before


def test_its_metrics_and_costs_make_the_same_table(written: Path) -> None:
    row = {"name": "teacher", "role": "student", "paper": None, "control": None} | {
        kind: str(written / f"{kind}.json") for kind in ("metrics", "cost")
    }
    run("report", "table", "--rows", json.dumps([row]), "--out", written / "report")
    assert (written / "report" / "table.csv").read_text() == (written / "table.csv").read_text()


def content_of_0_1(name: str, content: bytes) -> bytes:
    """Return a file as 0.1 wrote it: without the root and the shard that a ledger entry names today.

    Measured errors are rounded, because their last digits depend on the processor; so checksums over them are left out.
    """
    if not name.startswith("ledger/") and name != "receipt.json":
        return content
    document = json.loads(content, parse_float=lambda text: round(float(text), 6))
    kept = {key: value for key, value in document.items() if key not in ("root", "shard", "sha256")}
    return json.dumps(kept, sort_keys=True).encode()


def test_a_store_of_cocos_joints_is_byte_for_byte_what_it_wrote(tmp_path: Path) -> None:
    """Crops, views, three shards: heatmaps, tables and metadata, to the last byte."""
    table = persons(40)
    spec = replace(spec_of(table), versions={"kdcache": "0.1.0"})
    store = HeatmapStore.create(str(tmp_path / "store.zarr"), spec, table)
    for shard in store.pending():
        write(store, shard, cones, noise_in_place_of_crops)
    store.finalize()
    files = {name: content_of_0_1(name, content) for name, content in files_of(tmp_path / "store.zarr").items()}
    lines = [f"{name} {hashlib.sha256(files[name]).hexdigest()}\n" for name in sorted(files, key=Path)]
    assert len(lines) == 57
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == DIGEST_OF_0_1
