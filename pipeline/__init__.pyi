from .building.build import build as build
from .building.job import BuildJob as BuildJob
from .costs.estimate import estimate_costs as estimate_costs
from .evaluation.evaluation import EvaluationResult as EvaluationResult
from .evaluation.evaluation import evaluate as evaluate
from .evaluation.evaluation import evaluate_store as evaluate_store
from .evaluation.metrics_file import Metrics as Metrics
from .teachers.load import load_network as load_network
from .version import __version__ as __version__

__all__ = [
    "BuildJob",
    "EvaluationResult",
    "Metrics",
    "__version__",
    "build",
    "estimate_costs",
    "evaluate",
    "evaluate_store",
    "load_network",
]
