"""What is measured: persons on drawn photos, a store of their heatmaps, ViTPose with random weights. No download."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cache_tools.crops import CropPolicy, StoredCrop, encode_crop
from cache_tools.geometry import apply, compose, invert
from cache_tools.images import read_image
from cache_tools.instances import Instances
from cache_tools.prefetch import ordered_map, usable_cpus
from cache_tools.skeletons import COCO, Skeleton
from cache_tools.store.crops_spec import CropsSpec
from cache_tools.store.spec import TeacherSpec, make_spec
from cache_tools.store.writer import HeatmapStore
from pipeline.teachers.vitpose import fold, plus_network
from student.heatmaps.targets import render_targets
from student.pose_network import Crops, Maps
from student.torch_network import for_inference, run_on_device

#: width and height of a photo; COCO's are as large
PHOTO = (640, 480)
#: COCO's train2017 has 149,813 persons in 56,599 photos
PERSONS_A_PHOTO = 149_813 / 56_599
CELLS, SIGMA = (64, 48), 2.0
#: hidden size, layers, heads, features of an expert, for tests
TINY = (64, 2, 2, 16)


def draw_persons(folder: Path, count: int) -> Instances:
    """Write photos of coloured blobs as JPEG, with `count` persons in boxes as large as COCO's; return their table."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    photo_of = np.floor(np.arange(count) / PERSONS_A_PHOTO).astype(int)
    with ThreadPoolExecutor(usable_cpus()) as threads:
        list(threads.map(partial(draw_photo, folder), range(photo_of[-1] + 1)))
    height = rng.uniform(120, 420, count)
    width = height * rng.uniform(0.35, 0.8, count)
    corner = rng.uniform(0, 1, (count, 2)) * (np.array(PHOTO) - np.stack([width, height], 1))
    box = np.concatenate([corner, np.stack([width, height], 1)], 1)
    return Instances(
        annotation_id=np.arange(count),
        image_id=photo_of.astype(np.int64),
        box=box,
        area=0.53 * width * height,
        keypoints=box[:, None, :2] + rng.uniform(0.1, 0.9, (count, 17, 2)) * box[:, None, 2:],
        visibility=np.full((count, 17), 2, np.uint8),
        image_size=np.tile(np.array(PHOTO[::-1], np.int32), (count, 1)),
        file_name=tuple(f"{number:06d}.jpg" for number in photo_of),
    )


def draw_photo(folder: Path, number: int) -> None:
    """Write one photo."""
    small = np.random.default_rng(number).integers(0, 256, (PHOTO[1] // 8, PHOTO[0] // 8, 3), dtype=np.uint8)
    photo = cv2.resize(small, PHOTO, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / f"{number:06d}.jpg"), photo, [cv2.IMWRITE_JPEG_QUALITY, 90])


def empty_store(url: Path, persons: Instances, name: str, *, crops: bool) -> HeatmapStore:
    """Create a compact store without rows. crops: it keeps the persons' crops as well."""
    policy = CropPolicy()
    spec = make_spec(
        persons,
        TeacherSpec(name, "0" * 64),
        skeleton=COCO,
        crops=CropsSpec.of(policy) if crops else None,
        shard_rows=512,
    )
    return HeatmapStore.create(url, spec, persons)


def gaussian_store(url: Path, persons: Instances, photos: Path) -> HeatmapStore:
    """Write a store with crops whose heatmaps are Gaussians at the joints: they cost what any heatmaps cost."""
    store, policy = empty_store(url, persons, "gaussians", crops=True), CropPolicy()

    def crop(row: int) -> StoredCrop:
        return encode_crop(read_image(photos / persons.file_name[row]), persons.box[row], policy)

    for shard in store.pending():
        rows = np.array(store.shard_rows(shard))
        crops = list(ordered_map(crop, rows.tolist(), usable_cpus()))
        xy = apply(invert(compose(store.cell_to_crop, store.crop_to_image[rows])), persons.keypoints[rows])
        content = store.new_shard(shard)
        content.add(rows, render_targets(torch.from_numpy(xy), CELLS, SIGMA).numpy(), crops)
        store.write_shard(content)
    store.finalize()
    return HeatmapStore.open(url)


class RandomVitPose:
    """A teacher of the cost of ViTPose+ of one size; its heatmaps are noise."""

    digest, licence, frame, sigma = "0" * 64, "none", "udp", 2.0
    skeleton: Skeleton | None = COCO
    joints: tuple[str | None, ...] | None = None
    input_size, heatmap_size = (256, 192), (64, 48)

    def __init__(self, size: str, device: torch.device, *, folded: bool = True) -> None:
        """Make the network on the device. size: small, base, large, huge, or tiny for a test of a second."""
        self.name = f"ViTPose+ {size}, random, {'folded' if folded else 'six experts'}"
        self.device = device
        self.network = for_inference(random_network(size, device, folded=folded), device)

    def maps_on_device(self, crops: Tensor) -> Tensor:
        """Return heatmaps (B, 17, 64, 48) of noise, on the device."""
        return run_on_device(self.network, crops, self.device)

    def __call__(self, crops: Crops) -> Maps:
        """Return heatmaps (B, 17, 64, 48) of noise."""
        maps: Maps = self.maps_on_device(torch.from_numpy(crops)).cpu().numpy()
        return maps


def random_network(size: str, device: torch.device, *, folded: bool) -> nn.Module:
    """Return ViTPose+ of a size with small random weights, on the device."""
    network = plus_network(TINY if size == "tiny" else size, fused_attention=True)
    if folded:
        fold(network.model)
    network = network.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point():
                tensor.normal_(0, 0.02, generator=generator).abs_()
            else:
                tensor.zero_()
    return network


def random_crops(count: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return noise (count, H, W, 3)."""
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)
