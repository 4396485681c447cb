"""AP while training: the model in hand, measured through the same door as every finished one."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.evaluation.evaluate import METRICS, evaluate
from student.device import dtype_on
from student.pose_network import Crops, Maps
from student.torch_network import run_network

if TYPE_CHECKING:
    from student.models.student import PoseStudent
    from student.settings import StudentSettings
    from student.training.learner import Evaluate


class ModelInHand:
    """A student that is still in training, as evaluation sees it."""

    frame, digest, licence = "udp", "in training", "that of its training data"

    def __init__(self, model: "PoseStudent", settings: "StudentSettings") -> None:
        self.model, self.name = model, settings.name
        self.input_size, self.heatmap_size = settings.model.input_size, settings.model.heatmap_size
        self.sigma = settings.model.sigma
        self.device = next(model.parameters()).device
        self.dtype = dtype_on(self.device)

    def __call__(self, crops: Crops) -> Maps:
        """Heatmaps (B, 17, h, w) of crops (B, H, W, 3)."""
        return run_network(self.model, crops, self.device)


def ap_of(annotations: Path, photos: Path, device: str = "auto") -> "Evaluate":
    """What `train` measures with: about `train.evaluate_persons` persons, annotated boxes, no flip test."""

    def measure(model: "PoseStudent", settings: "StudentSettings") -> Mapping[str, Any]:
        verdict = evaluate(
            ModelInHand(model, settings),
            annotations,
            photos,
            device=device,
            max_persons=settings.train.evaluate_persons,
        )
        return {name: verdict.metrics[name] for name in METRICS}

    if not photos.is_dir():
        raise FileNotFoundError(f"there is no folder of photos at {photos}")
    if not annotations.is_file():
        raise FileNotFoundError(f"there is no annotation file at {annotations}")
    return measure
