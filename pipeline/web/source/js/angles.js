// The hip-knee-ankle angle (pipeline/hka/angles.py): degrees, varus positive.
//
// Varus when the knee is on the lateral side of the hip-ankle line; lateral is the direction from the other hip to this
// one, so the sign depends neither on the leg nor on how the photo is turned or mirrored.

import { cross, degrees, distance, dot, minus } from "./geometry.js";
import { HIPS, LEGS } from "./joints.js";

/** Whether a leg has all its joints among the seen ones, and the other hip, which gives the side. */
export function measurable(seen, leg) {
  return [...LEGS[leg], HIPS[1 - leg]].every((joint) => seen[joint]);
}

/** Signed deviation of one leg; NaN where the hips are on one line with the ankle, so that no side is lateral. */
export function varus(points, leg) {
  const [hip, knee, ankle] = LEGS[leg].map((joint) => points[joint]);
  const [thigh, shank, axis] = [minus(knee, hip), minus(ankle, knee), minus(ankle, hip)];
  const lateral = minus(hip, points[HIPS[1 - leg]]);
  const turn = Math.atan2(cross(thigh, shank), dot(thigh, shank));
  const side = Math.sign(cross(axis, lateral));
  return side === 0 ? NaN : degrees(-turn) * side;
}

/**
 * Standard deviation of the angle, to first order, from the joints' covariances [xx, xy, yy]; NaN where one is not
 * known. A segment of length l turns by e/l when one of its ends moves, with e the unit vector across it.
 */
export function uncertainty(points, covariances, leg) {
  const [hip, knee, ankle] = LEGS[leg].map((joint) => points[joint]);
  const [byHip, byAnkle] = [across(minus(knee, hip)), across(minus(ankle, knee))];
  const gradients = [byHip, [byHip[0] + byAnkle[0], byHip[1] + byAnkle[1]], byAnkle];
  const variance = gradients.reduce((sum, [x, y], i) => {
    const [xx, xy, yy] = covariances[LEGS[leg][i]];
    return sum + xx * x * x + 2 * xy * x * y + yy * y * y;
  }, 0);
  return degrees(Math.sqrt(variance));
}

/** [thigh, shank] in pixels. */
export function segmentLengths(points, leg) {
  const [hip, knee, ankle] = LEGS[leg].map((joint) => points[joint]);
  return [distance(hip, knee), distance(knee, ankle)];
}

function across([x, y]) {
  const square = x * x + y * y;
  return [-y / square, x / square];
}
