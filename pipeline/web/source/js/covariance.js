// How certain a heatmap is of its joint (pipeline/hka/covariance.py): the covariance of its peak beyond the width that
// the network was trained to draw. Covariances are [xx, xy, yy].

import { clamp } from "./geometry.js";
import { largestCell } from "./heatmaps.js";

const RADIUS = 3; // cells around the peak
const LEVEL = 0.25; // of the peak: below it a map is background
const SMALLEST_SD = 0.1; // cells: no joint is known better than DARK reads it

/** Covariance in square photo pixels of one map (height, width); `cellToImage` maps cells to photo pixels. */
export function covarianceInImage(map, model, cellToImage) {
  const [xx, xy, yy] = covariance(map, model.heatmap_size, model.sigma);
  const [sx, sy] = cellToImage.scale;
  return [xx * sx * sx, xy * sx * sy, yy * sy * sy];
}

/** Along an axis in which the peak is narrower than in training, or does not fall, SMALLEST_SD and the map's size. */
function covariance(map, [height, width], sigma) {
  const widest = Math.max(height, width) ** 2;
  const { values, vectors } = axes(precision(map, height, width));
  const extra = values.map((v) => clamp((v > 1 / widest ? 1 / v : widest) - sigma ** 2, SMALLEST_SD ** 2, widest));
  const entry = (a, b) => extra.reduce((sum, e, k) => sum + e * vectors[k][a] * vectors[k][b], 0);
  return [entry(0, 0), entry(0, 1), entry(1, 1)];
}

/**
 * Inverse covariance of the Gaussian around the highest cell: least squares on log(map), weighted by map^2 (Guo 2011),
 * exact for a Gaussian wherever its centre lies.
 */
function precision(map, height, width) {
  const top = largestCell(map, width);
  const peak = Math.max(top.value, 1e-6);
  const normal = Array.from({ length: 6 }, (_, i) => Array.from({ length: 6 }, (_, j) => (i === j ? 1e-9 : 0)));
  const right = new Array(6).fill(0);
  for (let dy = -RADIUS; dy <= RADIUS; dy++)
    for (let dx = -RADIUS; dx <= RADIUS; dx++) {
      const [x, y] = [top.x + dx, top.y + dy];
      if (x < 0 || x >= width || y < 0 || y >= height) continue;
      const value = map[y * width + x];
      if (!(value > LEVEL * peak)) continue;
      const weight = (value / peak) ** 2;
      const terms = [1, dx, dy, dx * dx, dx * dy, dy * dy];
      for (let a = 0; a < 6; a++) {
        right[a] += weight * Math.log(value / peak) * terms[a];
        for (let b = 0; b < 6; b++) normal[a][b] += weight * terms[a] * terms[b];
      }
    }
  const c = solved(normal, right);
  return [-2 * c[3], -c[4], -2 * c[5]];
}

/** Eigenvalues and unit eigenvectors of a symmetric matrix [xx, xy, yy]. */
export function axes([xx, xy, yy]) {
  const half = Math.atan2(2 * xy, xx - yy) / 2;
  const [middle, reach] = [(xx + yy) / 2, Math.hypot((xx - yy) / 2, xy)];
  return {
    values: [middle + reach, middle - reach],
    vectors: [
      [Math.cos(half), Math.sin(half)],
      [-Math.sin(half), Math.cos(half)],
    ],
  };
}

/** Gauss with row pivots. Changes its arguments. */
function solved(matrix, right) {
  const n = right.length;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(matrix[i][k]) > Math.abs(matrix[pivot][k])) pivot = i;
    [matrix[k], matrix[pivot]] = [matrix[pivot], matrix[k]];
    [right[k], right[pivot]] = [right[pivot], right[k]];
    for (let i = k + 1; i < n; i++) {
      const factor = matrix[i][k] / matrix[k][k];
      for (let j = k; j < n; j++) matrix[i][j] -= factor * matrix[k][j];
      right[i] -= factor * right[k];
    }
  }
  for (let k = n - 1; k >= 0; k--) {
    for (let j = k + 1; j < n; j++) right[k] -= matrix[k][j] * right[j];
    right[k] /= matrix[k][k];
  }
  return right;
}
