from .distributed import ProcessContext as ProcessContext
from .learner import Evaluate as Evaluate
from .learner import Learner as Learner
from .loop import train as train
from .losses import distillation_loss as distillation_loss
from .metric_logger import read_log as read_log
from .step import take_step as take_step

__all__ = ["Evaluate", "Learner", "ProcessContext", "distillation_loss", "read_log", "take_step", "train"]
