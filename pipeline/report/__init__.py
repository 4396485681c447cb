"""Table 1, the bubble chart, heatmap panels and poses on photos, from the files of the other commands."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
