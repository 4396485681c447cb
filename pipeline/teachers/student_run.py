"""A student trained here as the teacher of others: teacher assistants, self-distillation, the demo's own teacher."""

from functools import cached_property
from pathlib import Path

import torch

import pipeline
from pipeline.teachers.base import digest_of
from student.checkpoint import load_student, read_record
from student.device import dtype_on, torch_device
from student.models.student import PoseStudent
from student.pose_network import Crops, Maps
from student.settings import StudentSettings
from student.torch_network import run_network

DEMO = Path(pipeline.__file__).parent / "demo" / "teacher"  # what `student:demo` means
DEMO_LICENCE = "Apache-2.0"


class StudentTeacher:
    """The best weights of a run's folder."""

    frame = "udp"

    def __init__(self, run: str, device: str = "auto", threads: int | None = None) -> None:
        """run: a folder that `kdcache train` wrote, or `demo`."""
        self.folder = DEMO if run == "demo" else Path(run)
        self.licence = DEMO_LICENCE if run == "demo" else "that of its training data"
        settings = StudentSettings.model_validate(read_record(self.folder)["settings"])
        self.weights = self.folder / "best.safetensors"
        if not self.weights.is_file():
            raise FileNotFoundError(f"{self.weights} does not exist: the run has not saved weights yet")
        self.name = settings.name
        self.model_settings = settings.model
        self.input_size, self.heatmap_size = settings.model.input_size, settings.model.heatmap_size
        self.sigma = settings.model.sigma
        self.device, self.threads = torch_device(device), threads
        self.dtype = dtype_on(self.device)

    @cached_property
    def digest(self) -> str:
        """sha256 over the network's settings and weights."""
        return digest_of(self.model_settings.model_dump_json(exclude={"weights"}), self.weights)

    @cached_property
    def network(self) -> PoseStudent:
        """The network, on its device."""
        if self.threads:
            torch.set_num_threads(self.threads)
        return load_student(self.folder, device=self.device)[0]

    def __call__(self, crops: Crops) -> Maps:
        """Heatmaps (B, 17, h, w) of crops (B, H, W, 3)."""
        return run_network(self.network, crops, self.device)
