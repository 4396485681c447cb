"""Heatmaps on the device: targets, stored codes, replay in another view, decoding, the flip test's mirror."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
