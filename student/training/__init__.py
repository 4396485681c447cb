"""Train students: the loop, the losses, a run's folder and log, several processes."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
