"""What kdcache 0.1 wrote opens and reads the same: a store, a run, the files of a report (tests/samples)."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cache_tools.store.writer import HeatmapStore
from pipeline.cli import kdcache
from tests.samples import __file__ as samples


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
