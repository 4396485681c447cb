// A person's joints -> one row a leg (pipeline/hka/table.py).

import { measurable, segmentLengths, uncertainty, varus } from "./angles.js";
import { LEGS, SIDES } from "./joints.js";
import { findFlags } from "./quality.js";

const UNKNOWN = [NaN, NaN, NaN];

/**
 * What the network found, with the joints that were moved by hand in their new places: they count as seen, and the
 * network can say nothing of how certain they are.
 */
export function corrected(found, byHand) {
  return {
    xy: found.xy.map((xy, joint) => byHand[joint] ?? xy),
    score: found.score.map((score, joint) => (joint in byHand ? 1 : score)),
    covariance: found.covariance.map((covariance, joint) => (joint in byHand ? UNKNOWN : covariance)),
    byHand,
  };
}

/** Rows of both legs, left first; angles are null where a leg is refused. `deviation` is varus positive. */
export function legRows(joints, settings) {
  return SIDES.map((side, leg) => {
    const seen = joints.score.map((score) => score >= settings.limits.min_score);
    const angle = measurable(seen, leg) ? varus(joints.xy, leg) : NaN;
    const sd = Number.isFinite(angle) ? uncertainty(joints.xy, joints.covariance, leg) : NaN;
    const reasons = findFlags(joints.xy, joints.score, settings.limits, sd, leg);
    const measured = Number.isFinite(angle) && !settings.refusing_flags.some((flag) => flag in reasons);
    const calibration = measured ? settings.calibration : null;
    if (calibration && !(calibration.range[0] <= angle && angle <= calibration.range[1]))
      reasons.extrapolated = [
        ["extrapolated", { varus: plus(angle), low: plus(calibration.range[0]), high: plus(calibration.range[1]) }],
      ];
    if (!measured && !Object.keys(reasons).length) reasons.not_frontal = [["hips_coincide", {}]];
    const [thigh, shank] = segmentLengths(joints.xy, leg);
    return {
      side,
      deviation: measured ? angle : null,
      sd: measured && Number.isFinite(sd) ? sd : null,
      medial: measured ? 180 - angle : null,
      calibrated: calibration ? calibration.intercept + calibration.slope * angle : null,
      calibratedRms: calibration ? calibration.residual_rms : null,
      thigh,
      shank,
      quality: !measured ? "refused" : Object.keys(reasons).length ? "doubtful" : "good",
      flags: reasons,
      byHand: LEGS[leg].filter((joint) => joint in joints.byHand).length,
    };
  });
}

/** Deviation with the sign of the convention: `varus` or `valgus` positive. */
export function signed(varusDegrees, convention) {
  return varusDegrees === null ? null : varusDegrees * (convention === "valgus" ? -1 : 1);
}

const plus = (value) => (value < 0 ? "" : "+") + value.toFixed(1);
