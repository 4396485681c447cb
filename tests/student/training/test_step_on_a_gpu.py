"""A training step on a device without values: PyTorch's meta device has shapes only.

Whatever would make the host wait for a value of a GPU (`item`, `float`, `nonzero`, a branch) raises an error there:
a step that runs on it never waits. On a real GPU, tests marked `gpu` and `make gpu` hold the same.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from safetensors.torch import load_file

from cache_tools.skeletons import COCO
from cache_tools.store.writer import HeatmapStore
from student.batches.loader import Batch, TrainLoader
from student.batches.plan import BatchPlan
from student.batches.stream import stream_of
from student.batches.warp import warp_image
from student.heatmaps.decode import dark_decode
from student.heatmaps.mirror import mirror_maps
from student.heatmaps.replay import replay_maps
from student.heatmaps.targets import render_targets, target_weight
from student.normalise import normalise
from student.training.distributed import ProcessContext
from student.training.learner import Learner, create_optimizer
from student.training.loop import train
from student.training.losses import foreground, pooled_foreground
from student.training.step import take_step
from tests.samples.drawn_store import quick_settings

COCO_MIRROR = COCO.mirror or ()
META, GPU = torch.device("meta"), torch.device("cuda", 0)
B, K, CELLS, INPUT = 4, 17, (16, 16), (64, 64)
NO_PLAN: BatchPlan = None  # type: ignore[assignment]  # a step does not read it


def empty_batch() -> Batch:
    """Return a batch without values."""
    maps = (B, K, *CELLS)
    return Batch(
        images=torch.empty(B, 3, *INPUT, device=META),
        targets=torch.empty(maps, device=META),
        target_weight=torch.empty(B, K, device=META),
        teacher_maps=torch.empty(maps, device=META),
        teacher_weight=torch.empty(B, K, device=META),
        labelled=None,
        plan=NO_PLAN,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"distill__loss": "kl", "train__clip_grad": None},
        {"distill__mode": "none", "distill__loss": "mse", "train__ema_decay": None},
    ],
    ids=["adaptive_wing", "kl", "mse"],
)
def test_a_step_asks_the_device_for_no_value(changes: dict[str, Any], tmp_path: Path) -> None:
    # momentum: PyTorch has no fused optimiser for this device
    student = quick_settings(train__compile=False, train__optimizer="momentum", **changes)
    process = ProcessContext(torch.device("cpu"))
    learner = Learner(student, tmp_path, skeleton=COCO, steps=10, steps_per_epoch=10, process=process)
    learner.model.to(META)
    if learner.ema is not None:
        learner.ema.module.to(META)
    learner.parameters = list(learner.model.parameters())
    learner.optimizer = create_optimizer(learner.model, student.train)
    for _ in range(2):
        take_step(learner, empty_batch())
    loss = learner.losses.sums["loss"]
    assert (learner.step, loss.device) == (2, META)
    # what a wait for the device would have raised
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        float(loss)


def test_batches_ask_the_device_for_no_value() -> None:
    maps, xy = torch.empty(B, K, *CELLS, device=META), torch.empty(B, K, 2, device=META)
    flipped, matrix = torch.empty(B, dtype=torch.bool, device=META), torch.empty(B, 2, 3, device=META)
    visibility = torch.empty(B, K, dtype=torch.uint8, device=META)
    pixels = torch.empty(B, 80, 70, 3, dtype=torch.uint8, device=META)
    colour = torch.empty(B, 3, device=META)
    made = [
        normalise(warp_image(pixels, matrix, INPUT, colour, colour).permute(0, 2, 3, 1)),
        render_targets(xy, CELLS, 2.0),
        target_weight(xy, visibility, CELLS),
        replay_maps(maps, matrix, flipped, CELLS, "peaks", mirror=COCO.mirror),
        replay_maps(maps, matrix, flipped, CELLS, "warp", mirror=COCO.mirror),
        *dark_decode(maps),
    ]
    assert {tensor.device for tensor in made} == {META}


@settings(max_examples=20)
@given(arrays(np.float32, (1, 2, 5, 4), elements=st.floats(0, 1, width=32)))
def test_the_foreground_of_a_gpu_is_that_of_a_cpu(values: NDArray[np.float32]) -> None:
    target = torch.from_numpy(values)
    assert torch.equal(pooled_foreground(target), foreground(target))


@pytest.mark.gpu
def test_decoding_and_the_flip_test_stay_on_the_gpu() -> None:
    maps = torch.rand(B, K, *CELLS, device=GPU)
    crops = torch.zeros(B, *INPUT, 3, dtype=torch.uint8, device=GPU)
    normalise(crops)  # its constants are copied once
    dark_decode(maps)
    mirror_maps(maps, "udp", COCO_MIRROR)
    torch.cuda.set_sync_debug_mode("error")
    try:
        xy, score = dark_decode((maps + mirror_maps(maps, "udp", COCO_MIRROR)) / 2)
        assert normalise(crops).is_cuda
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert xy.is_cuda
    assert score.is_cuda


def weights_after(store: HeatmapStore, folder: Path, *changes: dict[str, Any]) -> list[dict[str, torch.Tensor]]:
    """Train students from one stream on a GPU for ten steps; return the weights of each."""
    usual: dict[str, Any] = {
        "train__epochs": 5,
        "train__ema_decay": None,
        "train__amp": False,
        "train__cuda_graphs": True,
    }
    students = [quick_settings(name=f"s{number}", **usual | change) for number, change in enumerate(changes)]
    folders = [folder / student.name for student in students]
    train([store], students, folders, device="cuda")
    return [load_file(run / "last.safetensors") for run in folders]


@pytest.mark.gpu
def test_steps_of_a_graph_are_those_that_are_started_one_by_one(store: HeatmapStore, tmp_path: Path) -> None:
    (graphed,) = weights_after(store, tmp_path / "graph", {})
    (single,) = weights_after(store, tmp_path / "single", {"train__cuda_graphs": False})
    torch.testing.assert_close(graphed, single, rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
def test_students_of_one_stream_share_the_memory_of_their_graphs(store: HeatmapStore, tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [{}, {"distill__mode": "none"}]
    together = weights_after(store, tmp_path / "together", *changes)
    for number, change in enumerate(changes):
        (apart,) = weights_after(store, tmp_path / f"apart-{number}", change)
        torch.testing.assert_close(together[number], apart, rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("cut_on_device", [False, True])
def test_batches_of_a_graph_are_those_that_are_started_one_by_one(store: HeatmapStore, cut_on_device: bool) -> None:
    def batches(*, graphs: bool) -> list[dict[str, Any]]:
        stream = stream_of([quick_settings(train__cuda_graphs=graphs)])
        with TrainLoader([store], stream, device="cuda:0", cut_on_device=cut_on_device) as loader:
            return [vars(batch) for batch in loader.batches(0, 10)]

    for graphed, single in zip(batches(graphs=True), batches(graphs=False), strict=True):
        for name in ("images", "targets", "target_weight", "teacher_maps"):
            assert torch.equal(graphed[name], single[name]), name
