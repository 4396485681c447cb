// Which joints are hips, knees, ankles and shoulders: those of COCO, whose places true joint centres take, too
// (pipeline/hka/definition.py). Legs are in the order left, right.

import { exported } from "./settings.js";

const { model } = exported;

export const SIDES = ["left", "right"];
export const ROLES = ["hip", "knee", "ankle"];
/** Joints [hip, knee, ankle] of each leg. */
export const LEGS = model.legs;
export const LEG_JOINTS = LEGS.flat();
export const HIPS = LEGS.map(([hip]) => hip);
/** [left, right] */
export const SHOULDERS = model.shoulders;

/** Key of a leg joint's name in strings/, as "left_knee". */
export function jointKey(joint) {
  const leg = LEGS.findIndex((joints) => joints.includes(joint));
  return `${SIDES[leg]}_${ROLES[LEGS[leg].indexOf(joint)]}`;
}
