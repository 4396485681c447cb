"""Image files: decoded whole or refused, turned by their EXIF orientation, checked against checksums."""

import lazy_loader as lazy

# a command's options need only PhotoOptions, and --help must not wait for numpy and OpenCV
__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
