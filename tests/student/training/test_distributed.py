"""Two processes do what one does on the joined batch."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cache_tools.store.writer import HeatmapStore
from pipeline.commands.train import command
from student.batches.loader import TrainLoader
from student.batches.stream import stream_of
from student.checkpoint import read_record
from student.models.student import create_student
from student.settings import StudentSettings
from student.training.distributed import Place, join, mean_labelled_joints, network_of
from student.training.losses import distillation_loss
from tests.samples.drawn_store import draw_photos, quick_settings, write_store
from tests.samples.short_run import ROWS

WORLD = 2


def gradients(store: HeatmapStore, of: StudentSettings, place: Place) -> tuple[dict[str, torch.Tensor], list[int]]:
    """Gradients of the first step, batch statistics frozen as each process has its own; and the rows of an epoch."""
    torch.manual_seed(0)
    model = create_student(of.model).eval()
    torch.nn.init.normal_(model.head.heatmaps.weight, std=0.3)
    network = network_of(model, place)
    with TrainLoader([store], stream_of([of]), device=place.device, rank=place.rank, world=place.world) as loader:
        (batch,) = loader.batches(0, 1)
        rows = np.concatenate([loader.sampler.batch(s)[0] for s in range(round(loader.sampler.steps_per_epoch))])
    # most joints of one process's persons are unlabelled, so that the processes count unequally
    if place.world == 1:
        batch.target_weight[4:, 3:] = 0
    elif place.rank == 1:
        batch.target_weight[:, 3:] = 0
    loss, _ = distillation_loss(
        network(batch.images), batch.targets, batch.target_weight, batch.teacher_maps, of.distill, 0.7,
        mean_labelled_joints(batch.target_weight, place),
    )  # fmt: skip
    loss.backward()
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}, rows.tolist()


def process(rank: int, url: str, folder: Path, port: int) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(WORLD), "RANK": str(rank)}
    store = HeatmapStore.open(url)
    with join("cpu") as place:
        torch.save(gradients(store, quick_settings(train__batch_size=4), place), folder / f"{rank}.pt")
    asked = [url, "--out", str(folder / "run"), "--settings", quick_settings(train__batch_size=4).model_dump_json()]
    asked += ["--device", "cpu", "--receipt", str(folder / f"receipt {rank}.json")]
    result = CliRunner().invoke(command, asked)
    (folder / f"{rank}.txt").write_text(result.stdout if result.exit_code == 0 else result.output)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[HeatmapStore, Path]:
    folder = tmp_path_factory.mktemp("ddp")
    store = write_store(folder / "a.zarr", folder / "photos", draw_photos(folder / "photos", ROWS))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(process, (store.url, folder, port), nprocs=WORLD)  # type: ignore[no-untyped-call]
    return store, folder


def test_gradients_are_those_of_one_process_on_the_joined_batch(both) -> None:
    store, folder = both
    expected, _ = gradients(store, quick_settings(train__batch_size=8), Place(torch.device("cpu")))
    largest = max(g.abs().max() for g in expected.values())
    for rank in range(WORLD):
        found, _ = torch.load(folder / f"{rank}.pt", weights_only=True)
        assert found.keys() == expected.keys()
        for name in expected:
            assert (found[name] - expected[name]).abs().max() <= 1e-6 * max(1, largest), name


def test_each_row_comes_once_an_epoch(both) -> None:
    _, folder = both
    rows = [row for rank in range(WORLD) for row in torch.load(folder / f"{rank}.pt", weights_only=True)[1]]
    assert sorted(rows) == list(range(ROWS))


def test_a_run_of_two_processes_ends_as_one_run(both) -> None:
    _, folder = both
    record = read_record(folder / "run")
    assert record["finished"]
    assert record["steps"] == 4 * ROWS // (WORLD * 4)
    assert record["data"]["processes"] == WORLD


def test_of_two_processes_one_talks_and_writes_the_receipt(both) -> None:
    _, folder = both
    said = [(folder / f"{rank}.txt").read_text() for rank in range(WORLD)]
    assert f"a: {4 * ROWS // (WORLD * 4)} steps in" in said[0]
    assert said[1] == ""
    assert [path.name for path in folder.glob("receipt*")] == ["receipt 0.json"]
