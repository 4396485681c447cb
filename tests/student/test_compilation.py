"""What `train.compile` chooses on a device; compiling itself is in tests marked `gpu` and in test_settings.py."""

import pytest
import torch

from student import compilation
from student.compilation import GRAPHS, choose_compilation, missing_for_triton
from student.compilation import WORTH_COMPILING as LONG

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


def test_auto_compiles_long_trainings_on_a_gpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "missing_for_triton", lambda device: [])
    assert choose_compilation("auto", CPU, LONG).mode is None
    assert choose_compilation("auto", GPU, LONG).mode == GRAPHS
    assert choose_compilation("auto", GPU, LONG).uses_graphs
    short = choose_compilation("auto", GPU, LONG - 1)
    assert str(short) == "not compiled: train.compile is auto, and 4,999 steps are fewer than 5,000"


def test_auto_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "missing_for_triton", lambda device: ["there is no C compiler", "no Python.h"])
    chosen = choose_compilation("auto", GPU, LONG)
    assert chosen.mode is None
    assert str(chosen) == "not compiled: train.compile is auto, but there is no C compiler, no Python.h"


def test_what_is_stated_is_obeyed() -> None:
    assert choose_compilation(False, GPU, LONG).mode is None
    assert choose_compilation(True, CPU, 1).mode == "default"
    assert choose_compilation(True, GPU, 1).mode == GRAPHS
    # gradients of several processes are averaged between the parts of the backward pass
    assert choose_compilation(True, GPU, 1, processes=2).mode == "default"
    # the network's graph would be within that of the step
    assert choose_compilation(True, GPU, 1, whole_steps=True).mode == "default"


def test_the_tools_that_triton_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compilation.shutil, "which", lambda name: None)
    monkeypatch.setattr(compilation.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(compilation.sysconfig, "get_path", lambda name: "/no/such/folder")
    missing = missing_for_triton(GPU)
    assert missing[:3] == [
        "the package triton is not installed",
        "there is no C compiler",
        "there is no Python.h (python3-dev)",
    ]


def test_nothing_is_compiled_on_a_cpu_by_default() -> None:
    module = torch.nn.Linear(2, 2)
    chosen = choose_compilation("auto", CPU, LONG)
    assert chosen.network(module) is module
    assert chosen.elementwise(torch.add) is torch.add


def test_as_many_students_as_the_paper_has_are_compiled_in_one_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's own limit is 8 networks of one class; what is beyond it runs uncompiled, with a warning only."""
    original = torch.compile
    # generating code would take minutes
    monkeypatch.setattr(torch, "compile", lambda module, **other: original(module, backend="eager", **other))
    monkeypatch.setattr(torch._dynamo.config, "recompile_limit", 8)
    torch.compiler.reset()  # type: ignore[no-untyped-call]  # torch does not annotate it
    chosen = choose_compilation(True, CPU, LONG)
    compiled_before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    for width in range(1, 15):
        chosen.network(torch.nn.Sequential(torch.nn.Linear(2, width)))(torch.zeros(3, 2))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == compiled_before + 14
