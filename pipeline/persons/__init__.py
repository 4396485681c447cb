"""Whose pose is wanted: annotated persons, a detector's boxes, or the persons in any photos."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
