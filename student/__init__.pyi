from .inference import Inference as Inference
from .models.student import PoseStudent as PoseStudent
from .models.student import create_student as create_student
from .pose_network import PoseNetwork as PoseNetwork
from .prediction import predict as predict
from .run_record import RunRecord as RunRecord
from .settings import StudentSettings as StudentSettings
from .trained_student import TrainedStudent as TrainedStudent
from .trained_student import load_student as load_student
from .training.loop import train as train
from .version import __version__ as __version__

__all__ = [
    "Inference",
    "PoseNetwork",
    "PoseStudent",
    "RunRecord",
    "StudentSettings",
    "TrainedStudent",
    "__version__",
    "create_student",
    "load_student",
    "predict",
    "train",
]
