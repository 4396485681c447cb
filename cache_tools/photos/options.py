"""How photos become pixels: what the user of a command states about them, and a store records."""

from dataclasses import dataclass, replace

#: bits of a value that an option can state: 8 need no conversion, and no photo has more than 16
FEWEST_BITS, MOST_BITS = 9, 16


@dataclass(frozen=True)
class PhotoOptions:
    """How photos are read. Two readings of one file with the same options give the same pixels."""

    #: turn photos upright by their EXIF orientation; None: not stated, which most readers take for False
    exif: bool | None = None
    #: bits used of each value of 16-bit photos, 9 to 16; None: such photos are refused
    depth: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a depth that no photo has."""
        if self.depth is not None and not FEWEST_BITS <= self.depth <= MOST_BITS:
            raise ValueError(f"a depth of {self.depth} bits: expected {FEWEST_BITS} to {MOST_BITS}, as in --depth 12")

    def stated(self, default: bool = False) -> "PhotoOptions":
        """Return the options with `exif` stated: `default` where it is not."""
        return replace(self, exif=default) if self.exif is None else self


#: nothing is stated
NOT_STATED = PhotoOptions()
#: COCO's photos: their annotations are in the pixels that the file stores
AS_STORED = PhotoOptions(exif=False)
#: photos as people and phones show them
UPRIGHT = PhotoOptions(exif=True)
