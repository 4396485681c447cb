"""Costs: counts that fit Table 1, speeds of networks whose speed is known, and a cost.json that the report reads."""

import json
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.commands.benchmark import cost_text
from pipeline.costs.cost_file import Cost
from pipeline.costs.network import SpeedSettings, measure_speed, network_speed, random_crops, student_cost, teacher_cost
from pipeline.teachers.load import load_network
from student.models.flops import count_costs
from tests.samples.small_run import SMALL, write_run

QUICK = SpeedSettings(device="cpu", batch_size=2, seconds=0.05)


class Slow(nn.Module):
    """20 ms a call and 5 ms an image."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.sizes: list[int] = []
        self.channels_last: set[bool] = set()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert not self.training
        self.channels_last.add(images.stride(1) == 1)
        self.sizes.append(len(images))
        time.sleep(0.02 + 0.005 * len(images))
        return images * self.scale


def test_speed_of_a_network_that_is_known() -> None:
    network = Slow().train()
    speed = network_speed(network, (32, 32), SpeedSettings(batch_size=8, seconds=0.6), torch.device("cpu"), "float32")
    # never faster than it sleeps; a busy machine is slower
    assert 0.1 * 8 / 0.06 < speed.images_per_second < 1.02 * 8 / 0.06
    assert 24.5 < speed.latency_ms < 250
    assert len(speed.images_per_second_of_runs) == 5
    assert set(network.sizes) == {8, 1}
    assert network.training  # as it was


@pytest.mark.parametrize("channels_last", [True, False])
def test_a_network_gets_the_layout_asked_for(channels_last: bool) -> None:
    network = Slow()
    protocol = SpeedSettings(batch_size=2, seconds=0.1, channels_last=channels_last)
    network_speed(network, (8, 8), protocol, torch.device("cpu"), "float32")
    assert network.channels_last == {channels_last}


def test_one_slow_run_does_not_move_the_median() -> None:
    calls = 0

    def stumbling(_: object) -> None:
        nonlocal calls
        calls += 1
        time.sleep(0.3 if calls == 12 else 0.01)

    speed = measure_speed(stumbling, random_crops(4, (8, 8)), 0.1)
    assert min(speed.images_per_second_of_runs) < 0.5 * speed.images_per_second
    assert speed.images_per_second == pytest.approx(400, rel=0.3)


def test_a_student_s_cost_is_what_the_report_reads(run: Path, tmp_path: Path) -> None:
    from student.checkpoint import load_model

    student, settings = load_model(run)
    student_cost(student, settings.model, settings.name, QUICK).write(tmp_path / "cost.json")
    cost = json.loads((tmp_path / "cost.json").read_text())
    read, counts = Cost.read(tmp_path / "cost.json"), count_costs(student, SMALL.input_size)
    assert (read.params_m, read.gmacs, read.gflops) == (counts.params_m, counts.gmacs, counts.gflops)
    assert (read.batch_size, read.dtype) == (2, "float32")
    assert cost["images_per_second"] > 0
    assert cost["onnxruntime"]["latency_ms"] > 0
    assert (cost["name"], cost["backbone"], cost["head"]) == ("small", "timm:resnet10t", "lateral")
    assert cost["protocol"]["input_size"] == [128, 96]


def test_a_student_costs_the_same_as_a_teacher(run: Path) -> None:
    cost = teacher_cost(load_network(f"student:{run}", device="cpu"), f"student:{run}", QUICK)
    assert cost.params_m == pytest.approx(count_costs(write_run(run), SMALL.input_size).params_m)
    assert cost.protocol.measured.startswith("uint8 crops on the device")


def test_a_teacher_without_a_torch_network(shared_data: Path) -> None:
    reference = f"onnx:{shared_data}/teachers/tinypose_256x192.onnx?frame=stride"
    cost = teacher_cost(load_network(reference, device="cpu"), reference, QUICK)
    assert cost.params_m == pytest.approx(1.3, abs=0.3)  # of the file's initialisers
    assert (cost.gmacs, cost.gflops) == (None, None)
    assert cost.dtype == "float32"
    assert cost.images_per_second > 0
    assert "computer's memory" in cost.protocol.measured
    assert "1.300 M parameters, FLOPs unknown" in cost_text(cost)


@pytest.mark.gpu
def test_on_cuda(run: Path) -> None:
    from student.checkpoint import load_model

    student, settings = load_model(run)
    cost = student_cost(student, settings.model, settings.name, SpeedSettings(batch_size=64, seconds=0.5), onnx=True)
    assert cost.dtype == "bfloat16"
    assert cost.device == torch.cuda.get_device_name()
