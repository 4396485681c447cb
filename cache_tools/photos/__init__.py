"""Image files: decoded whole or refused, turned by their EXIF orientation, checked against checksums."""

import lazy_loader as lazy

# the command line needs the options only, and neither numpy nor OpenCV
__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
