// Why an angle should be doubted (pipeline/hka/quality.py, which says where the limits come from).

import { measurable, segmentLengths, varus } from "./angles.js";
import { clamp, degrees, distance, dot, minus } from "./geometry.js";
import { HIPS, jointKey, LEG_JOINTS, LEGS, SHOULDERS } from "./joints.js";

/**
 * Flag -> reasons of one leg; a reason is [key of its sentence, values in it]. `sd` of the angle may be NaN.
 */
export function findFlags(points, scores, limits, sd, leg) {
  const seen = scores.map((score) => score >= limits.min_score);
  if (!measurable(seen, leg)) return { unseen: unseenJoints(scores, seen, leg) };
  const shoulders = SHOULDERS.every((joint) => seen[joint]);
  const p = proportions(points, leg, shoulders);
  const reasons = {
    small: small(p, limits),
    uncertain: sd > limits.sd ? [["sd", { degrees: sd.toFixed(0), limit: limits.sd }]] : [],
    not_frontal: [...tooSmall("hips_over_leg", p, limits), ...tooSmall("shoulders_over_trunk", p, limits)],
    knee_bent: kneeBent(
      p,
      limits,
      LEG_JOINTS.every((joint) => seen[joint]),
    ),
    not_standing: notStanding(p, limits, shoulders),
  };
  return Object.fromEntries(Object.entries(reasons).filter(([, why]) => why.length));
}

function small(p, limits) {
  const values = { length: p.length.toFixed(0), degrees: p.degrees_per_pixel.toFixed(1) };
  if (!(p.degrees_per_pixel > limits.degrees_per_pixel)) return [];
  return [["degrees_per_pixel", { ...values, limit: limits.degrees_per_pixel }]];
}

function kneeBent(p, limits, bothLegs) {
  const [low, high] = limits.thigh_over_shank;
  const reasons = [];
  if (!(low <= p.thigh_over_shank && p.thigh_over_shank <= high))
    reasons.push(["thigh_over_shank", { value: p.thigh_over_shank.toFixed(2), low, high }]);
  if (bothLegs) reasons.push(...tooSmall("shorter_over_longer_leg", p, limits));
  const deviation = Math.abs(p.deviation);
  if (deviation > limits.largest_deviation)
    reasons.push(["largest_deviation", { degrees: deviation.toFixed(0), limit: limits.largest_deviation }]);
  return reasons;
}

function notStanding(p, limits, shoulders) {
  if (!shoulders) return [["shoulders_unseen", {}]];
  const reasons = tooSmall("leg_over_trunk", p, limits);
  if (p.trunk_to_leg > limits.trunk_to_leg)
    reasons.push(["trunk_to_leg", { degrees: p.trunk_to_leg.toFixed(0), limit: limits.trunk_to_leg }]);
  return reasons;
}

/** False for NaN: a proportion that is not known is not too small. */
function tooSmall(name, p, limits) {
  return p[name] < limits[name] ? [[name, { value: p[name].toFixed(2), limit: limits[name] }]] : [];
}

/** What foreshortening changes, of one leg; NaN for what needs shoulders where they are not seen. */
function proportions(points, leg, shoulders) {
  const lengths = [0, 1].map((side) => segmentLengths(points, side));
  const [left, right] = lengths.map(([thigh, shank]) => thigh + shank);
  const length = [left, right][leg];
  const width = ([a, b]) => distance(points[a], points[b]);
  const [thigh, shank] = lengths[leg];
  return {
    hips_over_leg: width(HIPS) / ((left + right) / 2),
    shorter_over_longer_leg: Math.min(left, right) / Math.max(left, right),
    degrees_per_pixel: degrees(1 / thigh + 1 / shank),
    length,
    thigh_over_shank: thigh / shank,
    deviation: varus(points, leg),
    ...(shoulders ? trunk(points, leg, length, width) : {}),
  };
}

function trunk(points, leg, length, width) {
  const middle = ([a, b]) => [(points[a][0] + points[b][0]) / 2, (points[a][1] + points[b][1]) / 2];
  const down = minus(middle(HIPS), middle(SHOULDERS));
  const trunkLength = Math.hypot(...down);
  const along = minus(points[LEGS[leg][2]], points[LEGS[leg][0]]);
  const cosine = dot(along, down) / (Math.hypot(...along) * trunkLength);
  return {
    shoulders_over_trunk: width(SHOULDERS) / trunkLength,
    leg_over_trunk: length / trunkLength,
    trunk_to_leg: degrees(Math.acos(clamp(cosine, -1, 1))),
  };
}

function unseenJoints(scores, seen, leg) {
  return [...LEGS[leg], HIPS[1 - leg]]
    .filter((joint) => !seen[joint])
    .map((joint) => ["unseen", { joint: jointKey(joint), score: scores[joint].toFixed(2) }]);
}
