"""`kdcache info`: what it prints of finished and unfinished stores, and what it does without."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

from cache_tools.store.writer import HeatmapStore
from pipeline.building.build import build
from pipeline.commands.info import command
from tests.samples.small_build import ROWS, small_job

HEAVY = {"torch", "onnxruntime", "pycocotools", "dask", "distributed", "matplotlib", "transformers", "timm"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the url of a finished store."""
    job = replace(small_job(tmp_path_factory.mktemp("info")), flip=True)
    build(job)
    return job.store


def info(*arguments: str) -> str:
    """Return what the command prints."""
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_finished_store(store: str) -> None:
    facts = {line[:15].strip(): line[16:] for line in info(store).splitlines()}
    document = json.loads(info(store, "--json"))
    assert (document["finished"], document["pending"], document["rows"]) == (True, [], ROWS)
    assert facts["state"] == "finished"
    assert facts["rows"] == f"{ROWS} persons in 3 shards of 16"
    assert facts["teacher"] == "gaussian-oracle, flip averaged; licence: CC0-1.0"
    assert facts["teacher AP"] == "not measured"
    assert facts["frame"].startswith("udp, crops 256x192, heatmaps 64x48, sigma 2 cells")
    assert facts["codec"] == "compact"
    assert facts["codec error"].startswith(f"RMSE at peaks {document['error']['rmse_at_peaks']:.4f}, max ")
    assert facts["total"] == f"{sum(document['bytes'].values()) / 1e6:,.1f} MB"
    assert facts["digest"] == document["digest"]


def test_an_unfinished_store(store: str) -> None:
    HeatmapStore.open(store, mode="r+").forget(1)
    assert "2 of 3 shards; `kdcache build` again resumes" in info(store)
    document = json.loads(info(store, "--json"))
    assert not document["finished"]
    assert document["pending"] == [1]


def test_it_imports_no_framework_and_takes_less_than_a_second(store: str) -> None:
    code = (
        "import sys, time; from pipeline.cli import kdcache; "
        f"kdcache(['info', {store!r}], standalone_mode=False); "
        "print('seconds', time.process_time()); print('loaded', *sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    text, _, after = output.partition("\nseconds ")
    seconds, _, loaded = after.partition("\nloaded ")
    assert "gaussian-oracle" in text
    assert not HEAVY & set(loaded.split())
    assert float(seconds) < 1
