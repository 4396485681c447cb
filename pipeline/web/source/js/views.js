// Which part of a photo is shown, and how it is painted on a canvas.

import { clamp } from "./geometry.js";
import { LEG_JOINTS } from "./joints.js";

/** The part of a photo in which the legs are, with some of what is around them. */
export function legView(joints, bitmap) {
  const points = LEG_JOINTS.map((joint) => joints.xy[joint]);
  const ys = points.map((point) => point[1]);
  const tall = Math.max(...ys) - Math.min(...ys);
  const range = (axis, size, margin) => {
    const values = points.map((point) => point[axis]);
    const low = clamp(Math.min(...values) - margin, 0, size - 1);
    return [low, Math.max(clamp(Math.max(...values) + margin, low, size) - low, 16)];
  };
  const [x, width] = range(0, bitmap.width, 0.35 * tall);
  const [y, height] = range(1, bitmap.height, 0.18 * tall);
  return { x, y, width, height };
}

/** Paint the part `view` of a photo on a canvas of width x height CSS pixels, as sharp as the screen. */
export function paint(canvas, bitmap, view, width, height) {
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * density));
  canvas.height = Math.max(1, Math.round(height * density));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.scale(canvas.width / view.width, canvas.height / view.height);
  context.drawImage(bitmap, -view.x, -view.y);
}
