"""Two processes do what one does on the joined batch."""

import os
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cache_tools.crops import decode_crop
from cache_tools.skeletons import COCO
from cache_tools.store.writer import HeatmapStore
from pipeline.cli import kdcache
from student.augment_recipes import recipe
from student.batches.loader import TrainLoader
from student.batches.stream import stream_of
from student.models.student import create_student
from student.run_record import read_record
from student.settings import StudentSettings
from student.training.distributed import (
    ProcessContext,
    data_parallel,
    gather_from,
    join,
    largest_of_all,
    mean_labelled_joints,
    wait_for_all,
)
from student.training.losses import distillation_loss
from tests.samples.drawn_store import STREAM, draw_photos, quick_settings, write_store
from tests.samples.short_run import ROWS
from tests.samples.training_process import run_forked

WORLD = 2
pytestmark = pytest.mark.xdist_group("training processes")


def gradients(
    store: HeatmapStore, of: StudentSettings, process: ProcessContext
) -> tuple[dict[str, torch.Tensor], list[int]]:
    """Return gradients of the first step, without batch statistics as each process has its own, and an epoch's rows."""
    torch.manual_seed(0)
    model = create_student(of.model, COCO).eval()
    assert isinstance(model.head.heatmaps, torch.nn.Conv2d)
    torch.nn.init.normal_(model.head.heatmaps.weight, std=0.3)
    network = data_parallel(model, process)
    with TrainLoader([store], stream_of([of]), device=process.device, rank=process.rank, world=process.world) as loader:
        (batch,) = loader.batches(0, 1)
        rows = np.concatenate([loader.sampler.batch(s)[0] for s in range(round(loader.sampler.steps_per_epoch))])
    # most joints of one process's persons are unlabelled, so that the processes have unequal numbers
    if process.world == 1:
        batch.target_weight[4:, 3:] = 0
    elif process.rank == 1:
        batch.target_weight[:, 3:] = 0
    loss, _ = distillation_loss(
        network(batch.images), batch.targets, batch.target_weight, batch.teacher_maps, of.distill, 0.7,
        mean_labelled_joints(batch.target_weight, process),
    )  # fmt: skip
    loss.backward()
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}, rows.tolist()


def kept_rows(store: HeatmapStore, process: ProcessContext) -> tuple[list[int], list[int], bool]:
    """Return the rows that this process cut, those whose pixels it then finds, and whether these are right."""
    stream = replace(STREAM, batch_size=4, epochs=3, pixels="memory", augment=recipe("none"))
    with TrainLoader([store], stream, rank=process.rank, world=process.world, gather=gather_from(process)) as loader:
        rows = [int(row) for batch in loader.batches(0, 2) for row in batch.plan.rows]
        wait_for_all(process)
        kept = loader.pixels.kept
        assert kept is not None
        found = {row: crop for row in range(store.rows) if (crop := kept.find(row, 1)) is not None}
        right = all(np.array_equal(crop, decode_crop(store.read_crops([row])[0])) for row, crop in found.items())
        wait_for_all(process)
    return rows, sorted(found), right


def train_beside_another(rank: int, url: str, folder: Path, port: int) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(WORLD), "RANK": str(rank)}
    store, student = HeatmapStore.open(url), quick_settings(train__batch_size=4)
    with join("cpu") as process:
        assert largest_of_all(10 * rank, process) == 10 * (WORLD - 1)
        torch.save(gradients(store, student, process), folder / f"{rank}.pt")
        torch.save(kept_rows(store, process), folder / f"kept {rank}.pt")
    arguments = ["train", url, "--out", str(folder / "run"), "--settings", student.model_dump_json()]
    arguments += ["--device", "cpu", "--receipt", str(folder / f"receipt {rank}.json")]
    result = CliRunner().invoke(kdcache, arguments)
    (folder / f"{rank}.txt").write_text(result.output)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[HeatmapStore, Path]:
    folder = tmp_path_factory.mktemp("ddp")
    store = write_store(folder / "a.zarr", folder / "photos", draw_photos(folder / "photos", ROWS))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run_forked([(train_beside_another, rank, store.url, folder, port) for rank in range(WORLD)])
    return store, folder


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only Linux has nameless memory to share")
def test_pixels_that_one_process_decoded_are_the_others(both: tuple[HeatmapStore, Path]) -> None:
    (rows, found, right), (other_rows, other_found, other_right) = (
        torch.load(both[1] / f"kept {rank}.pt") for rank in range(WORLD)
    )
    assert len(set(rows) & set(other_rows)) == 0
    assert sorted(rows + other_rows) == found == other_found
    assert right
    assert other_right


def test_gradients_are_those_of_one_process_on_the_joined_batch(both: tuple[HeatmapStore, Path]) -> None:
    store, folder = both
    expected, _ = gradients(store, quick_settings(train__batch_size=8), ProcessContext(torch.device("cpu")))
    largest = max(float(g.abs().max()) for g in expected.values())
    for rank in range(WORLD):
        found, _ = torch.load(folder / f"{rank}.pt", weights_only=True)
        assert found.keys() == expected.keys()
        for name in expected:
            assert (found[name] - expected[name]).abs().max() <= 2e-6 * max(1, largest), name


def test_each_row_comes_once_an_epoch(both: tuple[HeatmapStore, Path]) -> None:
    _, folder = both
    rows = [row for rank in range(WORLD) for row in torch.load(folder / f"{rank}.pt", weights_only=True)[1]]
    assert sorted(rows) == list(range(ROWS))


def test_a_run_of_two_processes_ends_as_one_run(both: tuple[HeatmapStore, Path]) -> None:
    _, folder = both
    record = read_record(folder / "run")
    assert record.finished
    assert record.steps == 4 * ROWS // (WORLD * 4)
    assert record.data.processes == WORLD


def test_of_two_processes_the_first_logs_and_writes_the_receipt(both: tuple[HeatmapStore, Path]) -> None:
    _, folder = both
    printed = [(folder / f"{rank}.txt").read_text() for rank in range(WORLD)]
    assert f"a: {4 * ROWS // (WORLD * 4)} steps in" in printed[0]
    assert printed[1] == ""
    assert [path.name for path in folder.glob("receipt*")] == ["receipt 0.json"]
