"""Students as ONNX files, in float and in 8-bit integers."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
