"""What networks and configurations cost: parameters, FLOPs, speed, bytes, GPU-hours."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
