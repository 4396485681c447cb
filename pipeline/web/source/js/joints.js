// Which of the network's joints are hips, knees, ankles and shoulders. Legs are in the order left, right.

import { exported } from "./settings.js";

const { roles } = exported.model;

export const SIDES = ["left", "right"];
export const ROLES = ["hip", "knee", "ankle"];
/** Joints [hip, knee, ankle] of each leg. */
export const LEGS = roles.legs;
export const LEG_JOINTS = LEGS.flat();
export const HIPS = LEGS.map(([hip]) => hip);
/** [left, right], or null for a network without shoulders. */
export const SHOULDERS = roles.shoulders;

/** Key of a leg joint's name in strings/, as "left_knee". */
export function jointKey(joint) {
  const leg = LEGS.findIndex((joints) => joints.includes(joint));
  return `${SIDES[leg]}_${ROLES[LEGS[leg].indexOf(joint)]}`;
}
