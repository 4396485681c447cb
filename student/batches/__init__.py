"""Batches for training: which rows, which views, their pixels, targets and teacher maps."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
