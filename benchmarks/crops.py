"""The cost of stored crops: bytes a row, CPU time, and the error of augmented views against those of the whole photo.

    python benchmarks/crops.py [--images DIR --annotations JSON] [--rows 300] [--teacher onnx:FILE?frame=stride]

A view is ViTPose's random augmentation at 256x192, bilinear. PSNR is the median over views of 255^2 over the mean
squared difference. With a teacher, AP is its AP on the plain crops of every person when they are cut from the stored
ones ("photo": from the photo).
"""

import argparse
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from measured import at_least, hand_on

from cache_tools.annotations.annotation_file import read_coco
from cache_tools.crops import CropPolicy, decode_crop, encode_crop
from cache_tools.geometry import cell_to_crop, compose, crop_to_image, invert
from cache_tools.images import cut, read_image
from cache_tools.skeletons import COCO
from pipeline.evaluation.evaluation import score
from pipeline.evaluation.metrics_file import NetworkProtocol
from pipeline.persons.boxes import annotated
from pipeline.persons.coco_labels import CocoLabels
from pipeline.teachers.load import load_network
from student.augment_recipes import RECIPES
from student.batches.augment import sample_views
from student.prediction import decode_keypoints

REAL = Path(os.environ.get("KDCACHE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
DENSITIES, QUALITIES = (1.0, 1.25, 1.5, 2.0, 99.0), (80, 85, 90, 95)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, default=REAL / "coco" / "val")
    parser.add_argument("--annotations", type=Path, default=REAL / "coco" / "person_keypoints_val.json")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--teacher")
    arguments = parser.parse_args()
    if not arguments.annotations.is_file():
        print(f"nothing measured: no real photos at {REAL}; give --images and --annotations")
        return
    persons = read_coco(arguments.annotations)
    rows = np.unique(np.linspace(0, len(persons) - 1, min(arguments.rows, len(persons))).round().astype(int))
    persons = persons.take(rows)
    photos = {name: read_image(arguments.images / name) for name in set(persons.file_name)}
    views = sample_views(
        persons.box, persons.keypoints, persons.visibility, rows, RECIPES["vitpose"], skeleton=COCO
    ).crop_to_image
    references = [cut(photos[name], view, (256, 192)) for name, view in zip(persons.file_name, views, strict=True)]
    whole = sum((arguments.images / name).stat().st_size for name in photos) / len(persons)
    print(f"{len(persons)} persons in {len(photos)} photos; the photos themselves: {whole:,.0f} bytes a person\n")
    print("| density | quality | bytes a row | PSNR of views, median / 5 % | write ms | read ms | AP |")
    print("|---|---|---|---|---|---|---|")
    if arguments.teacher:
        print(f"| photo | - | {whole:,.0f} | - | - | - | {measure_ap(arguments, None):.4f} |")
    policies = [CropPolicy(density=density, quality=90) for density in DENSITIES]
    policies += [CropPolicy(quality=quality) for quality in QUALITIES if quality != 90]
    for policy in policies:
        start = time.process_time()
        stored = [encode_crop(photos[n], b, policy) for n, b in zip(persons.file_name, persons.box, strict=True)]
        wrote = time.process_time() - start
        crops = [decode_crop(data) for data, _, _ in stored]
        read = time.process_time() - start - wrote
        psnr: list[float] = []
        for crop, (_, to_image, _), view, reference in zip(crops, stored, views, references, strict=True):
            seen = cut(crop, compose(view, invert(to_image)), (256, 192))
            error = float(np.mean((seen.astype(np.float64) - reference) ** 2))
            psnr.append(10 * math.log10(255**2 / max(error, 1e-9)))
        size = np.mean([len(data) for data, _, _ in stored])
        density = "native" if policy.density > 10 else f"{policy.density:g}"
        ap = f"{measure_ap(arguments, policy):.4f}" if arguments.teacher else "-"
        print(
            f"| {density} | {policy.quality} | {size:,.0f} | {np.median(psnr):.1f} / {np.percentile(psnr, 5):.1f} | "
            f"{wrote / len(rows) * 1e3:.2f} | {read / len(rows) * 1e3:.2f} | {ap} |",
            flush=True,
        )
        if policy == CropPolicy():
            hand_on([at_least("views of stored crops beside those of the photo", float(np.median(psnr)), 38, "dB")])


def measure_ap(arguments: argparse.Namespace, policy: CropPolicy | None) -> float:
    """Return the teacher's AP on the plain crops of every person, cut from the stored crops (None: from the photos)."""
    teacher = load_network(arguments.teacher, "cpu")
    labels = CocoLabels(arguments.annotations)
    persons = labels.persons
    to_image = crop_to_image(persons.box, teacher.frame, teacher.input_size)
    crops = []
    for row, name in enumerate(persons.file_name):
        image, matrix = read_image(arguments.images / name), to_image[row]
        if policy:
            data, stored_to_image, _ = encode_crop(image, persons.box[row], policy)
            image, matrix = decode_crop(data), compose(matrix, invert(stored_to_image))
        crops.append(cut(image, matrix, teacher.input_size))
    maps = np.concatenate([teacher(np.stack(crops[i : i + 32])) for i in range(0, len(crops), 32)])
    cells = cell_to_crop(teacher.frame, teacher.input_size, teacher.heatmap_size)
    found = decode_keypoints(maps, compose(cells, to_image), torch.device("cpu"))
    protocol = NetworkProtocol(predictor=teacher.name, input_size=teacher.input_size, flip=False)
    return score(found, annotated(persons, labels.category_of), persons, labels, protocol).metrics.AP or 0.0


if __name__ == "__main__":
    main()
