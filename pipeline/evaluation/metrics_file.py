"""metrics.json: the numbers of an evaluation with the protocol under which they were measured."""

from typing import ClassVar, Literal

from pydantic import Field

from pipeline.persons.boxes import BoxProtocol
from pipeline.result_file import ResultFile, ResultPart

#: pycocotools' ten keypoint numbers, in its order
METRICS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")


class JointAccuracy(ResultPart):
    """Accuracy of one joint, or of all joints together, over the persons on whom it is labelled."""

    #: share of joints within PCK_THRESHOLD x the longer side of the person's box; None without a labelled joint
    PCK: float | None
    #: mean object keypoint similarity; None without a labelled joint
    OKS: float | None
    #: mean distance over the root of the person's area, of the joints found; None without one
    NME: float | None = None
    #: number of labelled joints
    labelled: int


class AnnotationProtocol(ResultPart):
    """The annotation file that predictions are compared with."""

    #: name of the file, without folders
    file: str
    #: sha256 of the instance table (`Instances.digest`)
    digest: str
    #: annotations that are no labelled persons, by reason
    left_out: dict[str, int] | None = None


class SigmaProtocol(ResultPart):
    """The OKS sigma of one joint."""

    sigma: float
    #: "stated" by the skeleton, "coco": that of COCO's joint of the same name, or "assumed"
    source: Literal["stated", "coco", "assumed"]


class NetworkProtocol(ResultPart):
    """The network that made the heatmaps, and how it was run. Sizes are (height, width)."""

    #: name of the network
    predictor: str
    #: sha256 over weights and preprocessing
    weights: str = "unstated"
    #: codec of the store that the heatmaps were read from; None for heatmaps that were never stored
    codec: str | None = None
    #: pixels of a crop
    input_size: tuple[int, int]
    #: cells of a heatmap
    heatmap_size: tuple[int, int] | None = None
    #: "udp" or "stride" (cache_tools/geometry.py)
    frame: str = "unstated"
    #: whether heatmaps are averaged with those of the mirrored crop
    flip: bool
    #: precision of the network
    dtype: str = "unstated"
    #: device of the network
    device: str = "unstated"
    #: device on which heatmaps are decoded
    decode_device: str = "unstated"
    #: whether photos were turned by their EXIF orientation
    exif: bool = False
    #: bits used of each value of 16-bit photos; None where there are none
    depth: int | None = None
    #: joints of the labels that the network does not know
    unknown_joints: tuple[str, ...] = ()
    #: joint of the labels -> what the network calls it, where that differs
    renamed_joints: dict[str, str] = Field(default_factory=dict)


class EvaluationProtocol(NetworkProtocol):
    """All that decides whether two APs may be compared."""

    #: the boxes that poses are looked for in
    boxes: BoxProtocol
    #: how a heatmap becomes a keypoint
    decoder: str
    #: how the score of a pose follows from those of its joints
    rescoring: str = "unstated"
    #: OKS above which a detection is suppressed by a better one; None: no suppression
    oks_nms: float | None = None
    #: detections that count in an image
    max_detections: int | None = None
    #: what PCK counts as a hit
    pck: str = "unstated"
    #: the labels
    annotations: AnnotationProtocol
    #: name of the labels' skeleton
    skeleton: str = "coco"
    #: ids of the categories; AP is the mean over them
    categories: tuple[int, ...] = (1,)
    #: name of a joint -> its OKS sigma
    oks_sigmas: dict[str, SigmaProtocol] = Field(default_factory=dict)
    #: how the area is known that OKS divides by, where not every label states one
    area: str | None = None
    #: "common": joints that the network does not know count neither in the labels nor in the results
    joints: Literal["all", "common"] = "all"
    #: labelled persons
    persons: int
    #: images, those without persons included
    images: int
    #: poses that are left after suppression
    detections_kept: int | None = None
    #: version of this package
    kdcache: str = "unstated"


class Metrics(ResultFile):
    """Content of a metrics.json. AP and the others are shares; None where no labelled person has the size."""

    kind: ClassVar[str] = "metrics.json of `kdcache evaluate`"

    AP: float | None
    AP50: float | None = None
    AP75: float | None = None
    APM: float | None = None
    APL: float | None = None
    AR: float | None
    AR50: float | None = None
    AR75: float | None = None
    ARM: float | None = None
    ARL: float | None = None
    #: name of a joint, or `all` -> its accuracy
    per_joint: dict[str, JointAccuracy] = Field(default_factory=dict)
    #: remarks for a reader of the numbers
    notes: tuple[str, ...] = ()
    protocol: EvaluationProtocol

    @property
    def numbers(self) -> dict[str, float | None]:
        """Return pycocotools' ten numbers by name."""
        return {name: getattr(self, name) for name in METRICS}

    def percent(self, name: str) -> float | None:
        """Return one of the ten numbers in percent."""
        value = self.numbers[name]
        return None if value is None else 100 * value
