"""Networks: backbones, heads, the student made of them, pretrained weights, and what they cost."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
