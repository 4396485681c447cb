// A round magnifier in a corner of the stage, where the finger is not: what is under the finger cannot be seen.

import { paint } from "./views.js";

const SIDE = 132; // CSS pixels
const ZOOM = 3;

/** {show, hide} of the loupe on this canvas. */
export function createLoupe(canvas) {
  /** Magnify a photo around a point of it. unit: photo pixels of one CSS pixel. */
  function show(bitmap, [x, y], view, unit) {
    const side = (SIDE * unit) / ZOOM;
    canvas.hidden = false;
    canvas.dataset.corner = x < view.x + view.width / 2 ? "right" : "left";
    const around = { x: x + 0.5 - side / 2, y: y + 0.5 - side / 2, width: side, height: side };
    paint(canvas, bitmap, around, SIDE, SIDE);
    drawCrosshair(canvas);
  }

  return { show, hide: () => (canvas.hidden = true) };
}

function drawCrosshair(canvas) {
  const context = canvas.getContext("2d");
  context.setTransform(canvas.width / 100, 0, 0, canvas.height / 100, 0, 0);
  for (const [ink, width] of [
    ["#000", 2.4],
    ["#fff", 1],
  ]) {
    Object.assign(context, { strokeStyle: ink, lineWidth: width });
    context.stroke(new Path2D("M50 8V42M50 58V92M8 50H42M58 50H92"));
  }
}
