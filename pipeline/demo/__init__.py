"""The embedded data set: rendered people with exact labels, and people who stand with known leg angles."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
