"""A trained student as a network that finds keypoints.

    pose = load_student("runs/mine")
    keypoints = pose.predict("photo.jpg")   # (1, 17, 3): x, y in image pixels, score

It is a `PoseNetwork` as teachers are, and whatever takes one of them takes it.
"""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from cache_tools.photos.options import NOT_STATED, PhotoOptions
from cache_tools.skeletons import Skeleton
from student.checkpoint import Weights, load_model
from student.device import dtype_on, torch_device
from student.inference import Inference
from student.models.student import PoseStudent
from student.pose_network import Crops, Maps, digest_of
from student.prediction import Photo, predict
from student.run_record import read_record
from student.settings import STUDENT_FRAME
from student.torch_network import for_inference, run_network, run_on_device
from student.weights_file import ADVICE


class TrainedStudent:
    """The student of a run's folder: a `PoseNetwork`, and keypoints of photos by `predict`.

    Its weights are read when they are first needed.
    """

    frame = STUDENT_FRAME
    licence = "that of its training data"
    #: as its skeleton names them
    joints: tuple[str | None, ...] | None = None

    def __init__(
        self,
        run: str | os.PathLike[str],
        *,
        weights: Weights = "best",
        device: str | torch.device = "auto",
        threads: int | None = None,
    ) -> None:
        """Find the student of the folder `run`.

        weights: those with the best AP, or the last ones. device: as in `torch_device`. threads: of the CPU, None for
        torch's own choice. Raises FileNotFoundError when there is no such run or it has no weights yet.
        """
        self.run, self.weights = Path(run), weights
        #: all settings of its training
        record = read_record(self.run)
        self.settings = record.settings
        self.skeleton: Skeleton | None = record.pose_skeleton()
        #: ids of the categories of its training data
        self.categories = tuple(record.categories or (1,))
        model = self.settings.model
        self.name, self.sigma = self.settings.name, model.sigma
        self.input_size, self.heatmap_size = model.input_size, model.heatmap_size
        self.device, self.threads = torch_device(device), threads
        self.dtype = dtype_on(self.device)
        if not self.weights_file.is_file():
            raise FileNotFoundError(f"{self.weights_file} does not exist: {ADVICE}")

    @property
    def weights_file(self) -> Path:
        """Return the path of its weights."""
        return self.run / f"{self.weights}.safetensors"

    @cached_property
    def digest(self) -> str:
        """Return the sha256 over the network's settings and weights."""
        # the joints are not part of it: another skeleton of as many joints is another run with other weights
        return digest_of(self.settings.model.model_dump_json(exclude={"weights"}), self.weights_file)

    @cached_property
    def network(self) -> PoseStudent:
        """Return the torch network, in evaluation mode, on its device."""
        if self.threads:
            torch.set_num_threads(self.threads)
        return for_inference(load_model(self.run, self.weights, self.device)[0], self.device)

    def maps_on_device(self, crops: torch.Tensor) -> torch.Tensor:
        """Return heatmaps (B, K, h, w), float32, on its device, of uint8 crops (B, H, W, 3) on any device."""
        return run_on_device(self.network, crops, self.device)

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, K, h, w) of crops (B, H, W, 3)."""
        return run_network(self.network, crops, self.device)

    def predict(
        self,
        photos: Photo | Sequence[Photo],
        boxes: ArrayLike | None = None,
        *,
        flip: bool = True,
        batch_size: int = 32,
        workers: int = 2,
        photo_options: PhotoOptions = NOT_STATED,
        progress: str | None = None,
    ) -> NDArray[np.float64]:
        """Return keypoints (N, K, 3) of N persons: x and y in image pixels, and the height of the heatmap's peak.

        The joints are those of `skeleton.names`, in their order. photos, boxes, photo_options, progress:
        as in `student.predict`; flip, batch_size, workers: as in `student.Inference`.
        """
        inference = Inference(flip=flip, batch_size=batch_size, workers=workers, device=str(self.device))
        return predict(self, photos, boxes, inference, photo_options=photo_options, progress=progress)


def load_student(
    run: str | os.PathLike[str], weights: Weights = "best", device: str | torch.device = "auto"
) -> TrainedStudent:
    """Return the student of a run's folder, its weights on `device`.

    weights: those with the best AP, or the last ones.
    Raises FileNotFoundError when there is no such run or it has no weights yet, ValueError when they do not fit it.
    """
    trained = TrainedStudent(run, weights=weights, device=device)
    _ = trained.network  # read the weights now: their errors belong here, not to the first prediction
    return trained
