// Heatmaps -> keypoints (student/heatmaps.py). Maps are Float32Array (joints, height, width).

import { clamp } from "./geometry.js";

const KERNEL = 11; // cells of DARK's blur
const SIGMA = 2.0;

/** The network's maps in the places of COCO's joints; blank ones where it has no such joint. */
export function inPlaces(maps, model) {
  const cells = model.heatmap_size[0] * model.heatmap_size[1];
  const placed = new Float32Array(model.places.length * cells);
  model.places.forEach((place, joint) => {
    if (place !== null) placed.set(maps.subarray(place * cells, (place + 1) * cells), joint * cells);
  });
  return placed;
}

/** Mean of a crop's maps and its mirrored crop's maps, mirrored back with left and right joints exchanged. */
export function averaged(maps, ofMirror, model) {
  const [height, width] = model.heatmap_size;
  const late = model.frame === "stride" ? 1 : 0; // in that frame the mirrored map also moves right by one cell
  const mean = new Float32Array(maps.length);
  for (let joint = 0; joint < model.keypoints.length; joint++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const here = (joint * height + y) * width;
        const there = (model.mirror[joint] * height + y) * width + (width - 1 - Math.max(x - late, 0));
        mean[here + x] = (maps[here + x] + ofMirror[there]) / 2;
      }
  return mean;
}

/** The largest cell {x, y, value} of one map (height, width). */
export function largestCell(map, width) {
  let index = 0;
  for (let i = 1; i < map.length; i++) if (map[i] > map[index]) index = i;
  return { x: index % width, y: Math.floor(index / width), value: map[index] };
}

/**
 * Keypoint [x, y] in cells and score of one map: from the largest cell, one Newton step on the logarithm of the blurred
 * map (DARK, CVPR 2020, with the constants of UDP's decoder). A step beyond the blur's reach, of a flat map, is not
 * taken.
 */
export function darkDecode(map, [height, width]) {
  const { x, y, value } = largestCell(map, width);
  const log = (dx, dy) => {
    const [column, row] = [clamp(x + dx, 0, width - 1), clamp(y + dy, 0, height - 1)];
    return Math.log(clamp(blurred(map, height, width, column, row), 0.001, 50));
  };
  const [centre, left, right, up, down] = [log(0, 0), log(-1, 0), log(1, 0), log(0, -1), log(0, 1)];
  const [gx, gy] = [(right - left) / 2, (down - up) / 2];
  const [xx, yy] = [right - 2 * centre + left, down - 2 * centre + up];
  const xy = (log(1, 1) - right - down + 2 * centre - left - up + log(-1, -1)) / 2;
  const determinant = xx * yy - xy * xy;
  const step = [(xy * gy - yy * gx) / determinant, (xy * gx - xx * gy) / determinant];
  const taken = step.every((part) => Math.abs(part) <= Math.floor(KERNEL / 2)); // false for NaN
  return { xy: taken ? [x + step[0], y + step[1]] : [x, y], score: value };
}

/** The Gaussian blur at one cell, the map mirrored about its border cells, as OpenCV does. */
function blurred(map, height, width, x, y) {
  let total = 0;
  for (const [dy, weightY] of GAUSSIAN)
    for (const [dx, weightX] of GAUSSIAN)
      total += weightY * weightX * map[reflected(y + dy, height) * width + reflected(x + dx, width)];
  return total;
}

const GAUSSIAN = (() => {
  const offsets = Array.from({ length: KERNEL }, (_, i) => i - Math.floor(KERNEL / 2));
  const weights = offsets.map((offset) => Math.exp(-0.5 * (offset / SIGMA) ** 2));
  const sum = weights.reduce((a, b) => a + b);
  return offsets.map((offset, i) => [offset, weights[i] / sum]);
})();

function reflected(cell, cells) {
  const period = Math.max(2 * (cells - 1), 1);
  const place = (((cell + cells - 1) % period) + period) % period;
  return Math.abs(place - (cells - 1));
}
