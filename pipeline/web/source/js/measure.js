// A photo and its box -> the joints, looking a second time in the box of the joints that the first look found.

import { closerBox, seenJoints } from "./fit.js";

/**
 * {found, box}: what the network finds. fit: whether the box may be replaced by that of the joints found, as `kdcache
 * hka measure` does where it is given no box; it is kept where the closer look sees fewer joints.
 */
export async function measure(joints, bitmap, box, fit, settings) {
  const found = await joints(bitmap, box);
  const closer = fit && closerBox(found, box, bitmap, settings);
  if (!closer) return { found, box };
  const again = await joints(bitmap, closer.box);
  return seenJoints(again, settings) >= seenJoints(found, settings)
    ? { found: withTime(again, found), box: closer.box }
    : { found: withTime(found, again), box };
}

function withTime(found, other) {
  const parts = Object.entries(found.milliseconds);
  return { ...found, milliseconds: Object.fromEntries(parts.map(([key, ms]) => [key, ms + other.milliseconds[key]])) };
}
