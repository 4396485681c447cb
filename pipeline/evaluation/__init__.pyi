from .annotator_sigmas import MeasuredSigmas as MeasuredSigmas
from .annotator_sigmas import measure_sigmas as measure_sigmas
from .annotator_sigmas import sigmas_text as sigmas_text
from .coco_ap import coco_numbers as coco_numbers
from .during_training import training_evaluation as training_evaluation
from .evaluation import EvaluationResult as EvaluationResult
from .evaluation import evaluate as evaluate
from .evaluation import evaluate_store as evaluate_store
from .evaluation import score as score
from .metrics_file import METRICS as METRICS
from .metrics_file import EvaluationProtocol as EvaluationProtocol
from .metrics_file import Metrics as Metrics
from .metrics_file import NetworkProtocol as NetworkProtocol
from .oks import coco_results as coco_results
from .oks import joint_similarity as joint_similarity
from .oks import similarity as similarity
from .oks import suppress as suppress
from .per_joint import joint_accuracy as joint_accuracy

__all__ = [
    "METRICS",
    "EvaluationProtocol",
    "EvaluationResult",
    "MeasuredSigmas",
    "Metrics",
    "NetworkProtocol",
    "coco_numbers",
    "coco_results",
    "evaluate",
    "evaluate_store",
    "joint_accuracy",
    "joint_similarity",
    "measure_sigmas",
    "score",
    "sigmas_text",
    "similarity",
    "suppress",
    "training_evaluation",
]
