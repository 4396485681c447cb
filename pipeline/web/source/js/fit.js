// A closer box around the person, from the joints that the network found in a wider one (pipeline/hka/fit.py).

import { clamp, grownHeight } from "./geometry.js";

/** A box that is worth a second look, with the `share` of the crop's height that it takes; null where there is none. */
export function closerBox(found, box, bitmap, { model, limits, fit }) {
  const seen = found.xy.filter((_, joint) => found.score[joint] >= limits.min_score);
  if (seen.length < fit.fewest_joints) return null;
  const [xs, ys] = [0, 1].map((axis) => seen.map((point) => point[axis]));
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const tall = bottom - top;
  const x = clamp(Math.floor(left - fit.around * tall), 0, bitmap.width);
  const y = clamp(Math.floor(top - fit.above * tall), 0, bitmap.height);
  const width = clamp(Math.ceil(right + fit.around * tall), 0, bitmap.width) - x;
  const height = clamp(Math.ceil(bottom + fit.around * tall), 0, bitmap.height) - y;
  const share = grownHeight({ width, height }, model) / grownHeight(box, model);
  return share < fit.worth_below ? { box: { x, y, width, height }, share } : null;
}

/** How many joints the network sees. */
export function seenJoints(found, { limits }) {
  return found.score.filter((score) => score >= limits.min_score).length;
}
