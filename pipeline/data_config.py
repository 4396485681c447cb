"""The part of the workflow's configuration that says what the data are: photos, annotations, and how they are read."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from cache_tools.local_path import check_local
from cache_tools.photos.options import FEWEST_BITS, MOST_BITS
from cache_tools.skeletons import load_skeleton
from student.settings import Settings, Size

#: a path of this machine; a url is refused
LocalPath = Annotated[Path, BeforeValidator(lambda given: check_local(given) if isinstance(given, str) else given)]


class SplitConfig(Settings):
    """Photos and annotations of one split, relative to `data.root`."""

    images: LocalPath = Field(description="Folder of the photos.")
    annotations: LocalPath = Field(description="COCO person_keypoints file.")


class RenderedConfig(Settings):
    """Persons that `kdcache demo-data` renders."""

    persons: int = Field(3000, gt=0, description="Labelled persons of the train split.")
    val_persons: int = Field(500, gt=0, description="Labelled persons of the val split.")
    seed: int = Field(0, description="The same seed gives the same data set.")
    level: Literal["easy", "hard", "standing"] = Field(
        "easy", description="How hard the photos are; `standing`: one person who stands and faces the camera."
    )
    size: Size = Field((240, 320), description="Height and width of the photos in pixels.")
    noise: bool = Field(True, description="Give the train split an annotator's errors.")
    boxes: Literal["person", "legs"] = Field("person", description="What the boxes are around.")
    knees: Literal["joint", "axis"] = Field(
        "joint", description="Where knees are labelled: at the joint, or where the photo shows the mechanical axis."
    )


class DataConfig(Settings):
    """Where photos and annotations are: rendered, downloaded, or on the disk already."""

    root: LocalPath = Field(description="Folder that the paths of the splits are relative to.")
    train: SplitConfig = Field(description="The split that teachers are cached on and students are trained on.")
    val: SplitConfig = Field(description="The split that networks are evaluated on.")
    rendered: RenderedConfig | None = Field(None, description="Let `kdcache demo-data` make the data set.")
    exif: bool | None = Field(
        None,
        description="Turn the photos of both splits upright by their EXIF orientation, as `kdcache build --exif` does.",
    )
    depth: int | None = Field(
        None, ge=FEWEST_BITS, le=MOST_BITS, description="Bits used of each value of 16-bit photos, as `--depth`."
    )
    checksums: list[LocalPath] = Field(
        default_factory=list,
        description="Files, relative to `root`, with a checksum of each photo, as md5sum or sha256sum writes them.",
    )
    download: bool = Field(
        False,
        description="Let `kdcache download` fetch into `root` what is missing of COCO 2017, and the detector's file "
        "where `evaluate.boxes` names it.",
    )
    skeleton: str | None = Field(
        None,
        description="Whose keypoints the annotations have: a built-in skeleton, or a YAML file relative to the working "
        "folder. By default as the annotation files name them. Rendered people are labelled with it.",
    )
    category: list[str] = Field(
        default_factory=list,
        description="Categories of the annotations, by name or id. By default all that name the same keypoints.",
    )

    @field_validator("root")
    @classmethod
    def _home_is_expanded(cls, root: Path) -> Path:
        return root.expanduser()

    @field_validator("category", mode="before")
    @classmethod
    def _ids_are_texts(cls, stated: Any) -> Any:
        several = stated if isinstance(stated, list) else [stated]
        return [str(one) if isinstance(one, int) and not isinstance(one, bool) else one for one in several]

    @field_validator("skeleton")
    @classmethod
    def _skeleton_exists(cls, reference: str | None) -> str | None:
        if reference is not None:
            try:
                load_skeleton(reference)
            except OSError as problem:
                raise ValueError(str(problem)) from None
        return reference

    def path(self, split: Literal["train", "val"], what: Literal["images", "annotations"]) -> Path:
        """Return the full path of a split's photos or annotations."""
        part: Path = getattr(getattr(self, split), what)
        return self.root / part
