from .dataset import write_dataset as write_dataset
from .labels import Label as Label
from .standing import Standing as Standing
from .standing import make_standing as make_standing

__all__ = ["Label", "Standing", "make_standing", "write_dataset"]
