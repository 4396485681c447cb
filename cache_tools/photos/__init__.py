"""Image files: decoded whole or refused, turned by their EXIF orientation, checked against checksums."""

from cache_tools.photos.checksums import check_file, check_listed, read_checksums
from cache_tools.photos.decode import decode_photo
from cache_tools.photos.options import AS_STORED, NOT_STATED, UPRIGHT, PhotoOptions
from cache_tools.photos.orientation import orientation_of, stated_orientation, turned

__all__ = [
    "AS_STORED",
    "NOT_STATED",
    "UPRIGHT",
    "PhotoOptions",
    "check_file",
    "check_listed",
    "decode_photo",
    "orientation_of",
    "read_checksums",
    "stated_orientation",
    "turned",
]
