"""Annotations, photos and boxes of one split, checked as a whole before anything long begins."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cache_tools.annotations.annotation_file import AnnotationFile, read_annotation_file
from cache_tools.instances import Instances
from cache_tools.photos.options import NOT_STATED, PhotoOptions
from cache_tools.prefetch import usable_cpus
from cache_tools.skeletons import Skeleton
from pipeline.persons.boxes import PersonBoxes, detected
from pipeline.persons.coco_labels import CocoLabels
from pipeline.persons.photo_check import check_photos

#: categories that are named
NAMED = 5


@dataclass(kw_only=True)
class DataCheck:
    """Findings of one split: what would be read, and what is refused."""

    #: what would be read, and what is left out by reason
    lines: list[str] = field(default_factory=list)
    #: what is refused; empty where commands would read everything
    problems: list[str] = field(default_factory=list)


def check_data(
    annotations: Path,
    images: Path,
    *,
    skeleton: Skeleton | None = None,
    category: Sequence[str] = (),
    same_as: Path | None = None,
    labelled: bool = True,
    boxes: Path | None = None,
    score_threshold: float = 0.0,
    photo_options: PhotoOptions = NOT_STATED,
    checksums: Sequence[Path] = (),
    decode: bool = False,
    threads: int | None = None,
) -> DataCheck:
    """Check what build, train and evaluate would read, by their own readers; what is refused is in the result.

    skeleton, category: as `read_annotation_file` has them. same_as: an annotation file whose keypoints the first has
    to have, as that of training. labelled: False for every person with a box, as `kdcache build --unlabelled`. boxes: a
    file of boxes for these photos, of which those below `score_threshold` are left out. photo_options, checksums: as
    `check_photos` has them. decode: read every photo whole. threads: that read photos, None for one a CPU.
    """
    found = DataCheck()
    try:
        expected = skeleton
        if same_as is not None:
            expected = read_annotation_file(same_as, skeleton=skeleton, category=category).skeleton
        file = read_annotation_file(annotations, skeleton=skeleton, category=category, expected=expected)
        persons = file.instances(labelled=labelled)
    except (ValueError, OSError) as problem:
        # photos and boxes are known by what this file says
        found.problems.append(str(problem))
        return found
    found.lines += _labels_lines(file, persons, labelled=labelled)
    names, sizes = list(persons.file_name), persons.image_size
    if boxes is not None:
        try:
            searched = detected(boxes, CocoLabels(file), score_threshold=score_threshold)
        except (ValueError, OSError) as problem:
            found.problems.append(str(problem))
        else:
            found.lines.append(_boxes_line(boxes, searched))
            names, sizes = [*names, *searched.file_name], np.concatenate([sizes, searched.image_size])
    threads = threads or usable_cpus()
    try:
        check_photos(images, names, sizes, photo_options, checksums=checksums, decode=decode, threads=threads)
    except (ValueError, OSError) as problem:
        found.problems.append(str(problem))
    else:
        counted = len(set(names))
        found.lines.append(_photos_line(images, counted, photo_options, with_checksums=bool(checksums), decoded=decode))
    return found


def _labels_lines(file: AnnotationFile, persons: Instances, *, labelled: bool) -> list[str]:
    categories = ", ".join(map(str, file.categories[:NAMED])) + (", ..." if len(file.categories) > NAMED else "")
    names = f" ({', '.join(file.category_names[:NAMED])})" if any(file.category_names) else ""
    kind = "with labelled keypoints" if labelled else "with a box"
    lines = [
        f"{file.path}: {len(file.skeleton)} keypoints of {file.skeleton.name}, category {categories}{names}",
        f"{len(persons)} persons {kind} in {len(np.unique(persons.image_id))} of {len(file.photos)} photos; "
        f"left out: {file.left_out_text(labelled)}",
    ]
    lines += [f"note: {remark}" for remark in file.persons.remarks]
    return lines + [f"note: {file.skeleton.name} has {unknown}" for unknown in file.skeleton.unknown()]


def _boxes_line(path: Path, boxes: PersonBoxes) -> str:
    protocol = boxes.protocol
    left_out = dict(protocol.left_out or {})
    if protocol.boxes_in_other_images:
        left_out["in other images"] = protocol.boxes_in_other_images
    counts = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "nothing"
    return f"{path}: {len(boxes)} boxes in {len(np.unique(boxes.image_id))} photos; left out: {counts}"


def _photos_line(images: Path, count: int, options: PhotoOptions, *, with_checksums: bool, decoded: bool) -> str:
    reading = "turned by their EXIF orientation" if options.exif else "as stored"
    extent = ", each decoded whole" if decoded else ", their content not looked at (--decode does)"
    sums = ", with their checksums" if with_checksums else ""
    return f"{images}: all {count} photos are there{sums}, read {reading}{extent}"
