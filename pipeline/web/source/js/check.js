// Whether this browser computes what kdcache computes: the page carries a rendered person and the joints that kdcache
// found in it.

import { wholePhoto } from "./boxes.js";
import { distance } from "./geometry.js";
import { unpacked } from "./payload.js";

const WORST = 0.5; // pixels: a browser that is farther from kdcache's joints computes something else

const example = unpacked("example-photo").then((bytes) => new File([bytes], "example.jpg", { type: "image/jpeg" }));

export const examplePhoto = () => example;

/** Pixels between the joints found here and those found there: the largest distance of all seen joints. */
export async function differenceFromKdcache(joints, expected) {
  const bitmap = await createImageBitmap(await example, { colorSpaceConversion: "none" });
  const { xy } = await joints(bitmap, wholePhoto(bitmap));
  bitmap.close();
  return Math.max(...expected.joint.map((joint, i) => distance(expected.xy[i], xy[joint])));
}

/** Whether so many pixels are rounding; false for NaN. */
export const agrees = (pixels) => pixels <= WORST;
