"""What a store says of its crops."""

from dataclasses import KW_ONLY, dataclass

from cache_tools.crops import FIRST_ENCODING, CropPolicy


@dataclass(frozen=True)
class CropsSpec:
    """The stored crops: which part of each photo they show, and for which widest view that part was chosen."""

    region: str  #: the rule, as CropPolicy.region states it
    quality: int  #: of the JPEG
    _: KW_ONLY
    encoding: int = FIRST_ENCODING  #: how a photo's pixels became the file, as cache_tools/crops.py has it
    zoom: float | None = None  #: of the widest view; None: the store does not say
    rotation: float | None = None  #: degrees
    shift: float | None = None  #: in sizes of the padded box

    def __post_init__(self) -> None:
        """Raise ValueError for a quality that no JPEG has."""
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality is {self.quality}: expected 1 to 100")
        if self.encoding < FIRST_ENCODING:
            raise ValueError(f"encoding is {self.encoding}: expected {FIRST_ENCODING} or more")

    @classmethod
    def of(cls, policy: CropPolicy) -> "CropsSpec":
        """Return the spec of crops that a policy makes."""
        return cls(
            policy.region,
            policy.quality,
            encoding=policy.encoding,
            zoom=policy.zoom,
            rotation=policy.rotation,
            shift=policy.shift,
        )
