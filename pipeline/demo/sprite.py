"""People from triangles: faces are filled back to front with their number, then each pixel is painted and lit once."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.demo.arithmetic import Floats, dot, length
from pipeline.demo.body import BODY, SKIRT
from pipeline.demo.camera import Camera
from pipeline.demo.cloth import wave
from pipeline.demo.outfit import Outfit
from pipeline.demo.paint import paint
from pipeline.demo.regions import Regions

SUPERSAMPLING = 2
FINE_BELOW = 96  # persons less tall than this, in pixels, are painted at the supersampled resolution
SUBPIXEL_BITS = 4  # of OpenCV's polygon filling
FAR = 1e3  # metres: the depth where nobody is


@dataclass(frozen=True)
class Light:
    """A lamp at infinity, and light from everywhere."""

    direction: Floats  #: (3,) unit, towards the lamp, camera axes
    ambient: float
    tint: Floats  #: (3,)


@dataclass(frozen=True)
class Mesh:
    """What is drawn of a person, in camera axes."""

    vertices: Floats  #: (S, 3)
    normals: Floats  #: (S, 3)
    faces: NDArray[np.int64]  #: (F, 3)
    part: NDArray[np.uint8]  #: (F,)


@dataclass(frozen=True, kw_only=True)
class Sprite:
    """A drawn person: a patch of the photo."""

    left: int
    top: int
    colour: Floats  #: (h, w, 3) times alpha
    alpha: Floats  #: (h, w) 0..1
    depth: Floats  #: (h, w) metres, FAR where alpha is 0

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the photo that this covers."""
        height, width = self.alpha.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


@dataclass(frozen=True, kw_only=True)
class _Triangles:
    """The faces that may be seen, farthest first."""

    corners: Floats  # (T, 3, 2) image plane
    area: Floats  # (T,) twice the signed area; negative faces the camera
    depth: Floats  # (T,)
    vertex: NDArray[np.int64]  # (T, 3)
    part: NDArray[np.uint8]  # (T,)


def draw(mesh: Mesh, regions: Regions, outfit: Outfit, camera: Camera, light: Light) -> Sprite | None:
    """Return a person as a sprite, or None when nothing of the person is in the picture."""
    triangles = _visible(mesh, camera)
    if triangles is None:
        return None
    low = np.maximum(np.floor(triangles.corners.min((0, 1))).astype(int) - 1, 0)
    high = np.minimum(np.ceil(triangles.corners.max((0, 1))).astype(int) + 2, [camera.width, camera.height])
    size = (int(high[0] - low[0]), int(high[1] - low[1]))  # width, height
    numbers = _fill(triangles, low, size)
    coverage = cv2.resize((numbers > 0).astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
    scale = SUPERSAMPLING
    if size[1] >= FINE_BELOW:
        numbers, scale = _nearest_of_cell(numbers), 1
    rows, columns = np.nonzero(numbers)
    if not len(rows):
        return None
    triangle = numbers[rows, columns] - 1
    xy = np.stack([(columns + 0.5) / scale + low[0], (rows + 0.5) / scale + low[1]], 1).astype(np.float32)
    attributes, normals = _interpolate(triangles, triangle, xy, regions.attributes, mesh.normals)
    colour, folds = paint(regions, outfit, attributes, triangles.part[triangle])
    facing = -np.sign(triangles.area)[triangle][:, None]  # hair and skirts are seen from inside too
    folds = folds * wave(attributes[:, :3], outfit.phases, 55.0) * outfit.wrinkles

    patch = np.zeros((*numbers.shape, 3), np.float32)
    patch[rows, columns] = np.clip(colour * _brightness(normals * facing, folds, light)[:, None], 0, 255) * light.tint
    depth = np.full(numbers.shape, FAR, np.float32)
    depth[rows, columns] = triangles.depth[triangle]
    alpha = coverage * np.float32(1 / 255)
    if scale == 1:
        patch *= alpha[..., None]
    else:
        patch = 0.25 * ((patch[::2, ::2] + patch[::2, 1::2]) + (patch[1::2, ::2] + patch[1::2, 1::2]))
        depth = depth[1::2, 1::2]
    return Sprite(left=int(low[0]), top=int(low[1]), colour=patch, alpha=alpha, depth=depth)


def _visible(mesh: Mesh, camera: Camera) -> _Triangles | None:
    corners = camera.project(mesh.vertices)[mesh.faces]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    drawn = (area < 0) | ((mesh.part != BODY) & (np.abs(area) > 1e-9))
    first_z, second_z, third_z = mesh.vertices[mesh.faces, 2].T
    low, high = (_each_corner(choose, corners) for choose in (np.minimum, np.maximum))
    inside = (high[:, 0] > 0) & (high[:, 1] > 0) & (low[:, 0] < camera.width) & (low[:, 1] < camera.height)
    inside &= np.minimum(np.minimum(first_z, second_z), third_z) > 0.1
    kept = np.flatnonzero(drawn & inside)
    if len(kept) < 8:
        return None
    depth = (first_z + second_z + third_z) / 3
    depth = depth - 0.02 * (mesh.part == SKIRT)  # a skirt wins over the thigh that it touches
    kept = kept[np.argsort(-depth[kept], kind="stable")]
    return _Triangles(
        corners=corners[kept], area=area[kept], depth=depth[kept], vertex=mesh.faces[kept], part=mesh.part[kept]
    )


def _each_corner(choose: np.ufunc, corners: Floats) -> Floats:
    """Return the least or greatest x and y (T, 2) of triangles (T, 3, 2); NumPy's reductions are slow over three."""
    chosen: Floats = choose(choose(corners[:, 0], corners[:, 1]), corners[:, 2])
    return chosen


def _fill(triangles: _Triangles, low: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.int32]:
    """Return the number + 1 of the nearest triangle at each supersampled pixel, 0 where there is none."""
    numbers = np.zeros((size[1] * SUPERSAMPLING, size[0] * SUPERSAMPLING), np.int32)
    cells = (triangles.corners - low) * SUPERSAMPLING - 0.5
    fixed_point = np.rint(cells * (1 << SUBPIXEL_BITS)).astype(np.int32)
    fill = cv2.fillConvexPoly
    for number, polygon in enumerate(fixed_point, 1):
        fill(numbers, polygon, number, cv2.LINE_8, SUBPIXEL_BITS)
    return numbers


def _nearest_of_cell(numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the nearest triangle of each 2x2 cell: later numbers are nearer."""
    rows = np.maximum(numbers[::2], numbers[1::2])
    return np.maximum(rows[:, ::2], rows[:, 1::2])


def _interpolate(
    triangles: _Triangles, triangle: NDArray[np.integer], xy: Floats, *vertex_values: Floats
) -> tuple[Floats, ...]:
    """Interpolate vertex values (S, ...) at pixels `xy` (P, 2) inside `triangle` (P,); each becomes (P, ...)."""
    first = triangles.corners[:, 1] - triangles.corners[:, 0]
    second = triangles.corners[:, 2] - triangles.corners[:, 0]
    area = np.where(np.abs(triangles.area) < 1e-6, 1e-6, triangles.area)
    rows = np.stack([second[:, 1], -second[:, 0], -first[:, 1], first[:, 0]], 1)
    barycentric = (rows / area[:, None]).astype(np.float32)[triangle]
    offset = xy - triangles.corners[triangle, 0].astype(np.float32)
    x, y = offset.T
    along_first = np.clip(barycentric[:, 0] * x + barycentric[:, 1] * y, 0, 1)[:, None]
    along_second = np.clip(barycentric[:, 2] * x + barycentric[:, 3] * y, 0, 1)[:, None]
    a, b, c = triangles.vertex[triangle].T
    interpolated = []
    for values in vertex_values:
        start = values[a]
        interpolated.append(start + along_first * (values[b] - start) + along_second * (values[c] - start))
    return tuple(interpolated)


def _brightness(normals: Floats, folds: Floats, light: Light) -> Floats:
    """Return the brightness (P,) of points with given normals; folds tilt the normals."""
    normals = normals + (0.22 * folds)[:, None] * np.array([0.7, 0.3, 0.6], np.float32)
    normals /= length(normals)[:, None] + 1e-6
    direct = np.clip(dot(normals, light.direction), 0, 1)
    from_above, towards_camera = 0.5 - 0.5 * normals[:, 1], np.clip(-normals[:, 2], 0, 1)
    ambient = light.ambient * (0.55 + 0.45 * from_above) * (0.72 + 0.28 * towards_camera)
    brightness: Floats = (ambient + (1.15 - light.ambient) * direct + 0.05 * folds).astype(np.float32)
    return brightness
