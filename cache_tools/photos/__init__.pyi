from .checksums import check_content as check_content
from .checksums import checksums_of as checksums_of
from .checksums import read_checksums as read_checksums
from .decode import decode_photo as decode_photo
from .options import AS_STORED as AS_STORED
from .options import NOT_STATED as NOT_STATED
from .options import UPRIGHT as UPRIGHT
from .options import PhotoOptions as PhotoOptions
from .orientation import orientation_of as orientation_of
from .orientation import stated_orientation as stated_orientation
from .orientation import turned as turned

__all__ = [
    "AS_STORED",
    "NOT_STATED",
    "UPRIGHT",
    "PhotoOptions",
    "check_content",
    "checksums_of",
    "decode_photo",
    "orientation_of",
    "read_checksums",
    "stated_orientation",
    "turned",
]
