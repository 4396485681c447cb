"""COCO keypoint AP of networks and stores, with the protocol under which it was measured."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
