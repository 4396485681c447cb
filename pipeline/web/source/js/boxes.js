// Boxes {x, y, width, height} in photo pixels, by their corners: upper left, upper right, lower left, lower right.

import { clamp } from "./geometry.js";

export const CORNERS = [
  [0, 0],
  [1, 0],
  [0, 1],
  [1, 1],
];
const SHORTEST_SIDE = 16; // pixels of a side

export const wholePhoto = ({ width, height }) => ({ x: 0, y: 0, width, height });

export const cornerOf = (box, i) => [box.x + CORNERS[i][0] * box.width, box.y + CORNERS[i][1] * box.height];

export const oppositeOf = (box, i) => cornerOf(box, CORNERS.length - 1 - i);

/** The box between two points, as far as it is in the photo; null where that is too small to hold anybody. */
export function boxBetween([x1, y1], [x2, y2], bitmap) {
  const [left, right] = [Math.min(x1, x2), Math.max(x1, x2)].map((x) => clamp(x, 0, bitmap.width));
  const [top, bottom] = [Math.min(y1, y2), Math.max(y1, y2)].map((y) => clamp(y, 0, bitmap.height));
  const box = { x: left, y: top, width: right - left, height: bottom - top };
  return Math.min(box.width, box.height) >= SHORTEST_SIDE ? box : null;
}
