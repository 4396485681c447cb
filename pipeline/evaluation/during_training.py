"""Evaluate a student that is still in training, by the same code as finished ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache_tools.photos.options import NOT_STATED, PhotoOptions
from cache_tools.skeletons import Skeleton
from pipeline.evaluation.evaluation import evaluate
from pipeline.persons.coco_labels import CocoLabels
from pipeline.persons.photo_check import check_photos
from student.device import dtype_on
from student.inference import Inference
from student.pose_network import Crops, Maps
from student.settings import STUDENT_FRAME
from student.torch_network import run_network, run_on_device

if TYPE_CHECKING:
    from torch import Tensor

    from student.models.student import PoseStudent
    from student.settings import StudentSettings
    from student.training.learner import Evaluate


class ModelInTraining:
    """A student that is still in training, as a pose network."""

    frame, digest, licence = STUDENT_FRAME, "in training", "that of its training data"
    joints: tuple[str | None, ...] | None = None

    def __init__(self, model: "PoseStudent", settings: "StudentSettings") -> None:
        """Take the model as it is; its weights may change between calls."""
        self.model, self.name = model, settings.name
        self.skeleton: Skeleton | None = model.skeleton
        self.input_size, self.heatmap_size = settings.model.input_size, settings.model.heatmap_size
        self.sigma = settings.model.sigma
        self.device = next(model.parameters()).device
        self.dtype = dtype_on(self.device)

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, K, h, w) of crops (B, H, W, 3)."""
        return run_network(self.model, crops, self.device)

    def maps_on_device(self, crops: "Tensor") -> "Tensor":
        """Return heatmaps (B, K, h, w), float32, on its device, of uint8 crops (B, H, W, 3) on any device."""
        return run_on_device(self.model, crops, self.device)


def training_evaluation(
    annotations: Path,
    photos: Path,
    device: str = "auto",
    *,
    skeleton: Skeleton | None = None,
    expected: Skeleton | None = None,
    category: Sequence[str] = (),
    photo_options: PhotoOptions = NOT_STATED,
    checksums: Sequence[Path] = (),
) -> "Evaluate":
    """Return the function that `train` calls to evaluate a student: COCO's ten keypoint numbers by name.

    It evaluates about `train.evaluate_persons` persons, in annotated boxes, without flip test. skeleton: what the
    keypoints of the file are, where the user states it. expected: joints of the student; a file that names the same in
    another order is permuted. category: names or ids of the categories to read. photo_options: how the photos are read.
    checksums: files with a checksum of each photo.
    The annotation file is read and checked here, once, before any training, and so are the photos. Raises
    FileNotFoundError where the file, the folder or photos do not exist, ValueError where the file is not understood,
    names other joints or labels nobody.
    """
    labels = CocoLabels(annotations, skeleton=skeleton, category=category, expected=expected)
    # raises where nobody is labelled: now, not after the first epoch
    persons = labels.persons
    inference = Inference(flip=False, device=device)
    check_photos(photos, persons.file_name, persons.image_size, photo_options, checksums=checksums)

    def evaluate_student(model: "PoseStudent", settings: "StudentSettings") -> Mapping[str, Any]:
        result = evaluate(
            ModelInTraining(model, settings),
            labels,
            photos,
            inference=inference,
            photo_options=photo_options.stated(),
            max_persons=settings.train.evaluate_persons,
            photos_checked=True,
            progress=False,
        )
        return result.metrics.numbers

    return evaluate_student
