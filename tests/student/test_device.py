"""Names of devices: what each picks, and what is refused."""

import pytest
import torch

from student.device import device_name, torch_device


def test_auto_is_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for available, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        assert torch_device("auto").type == kind
    assert torch_device(torch.device("cpu")) == torch_device("cpu") == torch.device("cpu")


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="finds no CUDA device: use cpu"):
        torch_device("cuda:1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert torch_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match="there are 2 CUDA devices"):
        torch_device("cuda:2")


def test_a_name_that_is_no_device() -> None:
    with pytest.raises(ValueError, match="expected auto, cpu, cuda or cuda:N"):
        torch_device("gpu")


def test_the_cpu_is_named_with_its_threads() -> None:
    assert device_name(torch.device("cpu")) == f"CPU, {torch.get_num_threads()} threads"
