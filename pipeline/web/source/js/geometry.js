// Where a heatmap cell lies in the photo (cache_tools/geometry.py, without rotation: a page never turns a crop).
//
// Points are [x, y] in pixels with pixel centres at integers, sizes are [height, width]. A map is {scale, shift}, each
// [x, y]: it takes p to scale * p + shift. Frames: "udp", where the outermost cells are the outermost crop pixels, and
// "stride", where cell i is crop pixel i * stride. Taking one for the other moves every joint.

/** Crop pixel -> photo pixel of a box {x, y, width, height}: grown to the crop's aspect, then padded. */
export function cropToImage(box, model) {
  const [height, width] = model.input_size;
  const tall = grownHeight(box, model) * model.padding;
  const size = [(tall * width) / height, tall];
  const centre = [box.x + box.width / 2, box.y + box.height / 2];
  const less = model.frame === "udp" ? 1 : 0;
  return {
    scale: [size[0] / (width - less), size[1] / (height - less)],
    shift: [centre[0] - size[0] / 2, centre[1] - size[1] / 2],
  };
}

/** Height of a box that is grown to the crop's aspect. */
export function grownHeight(box, model) {
  const [height, width] = model.input_size;
  return Math.max(box.height, (box.width * height) / width);
}

/** Heatmap cell -> crop pixel. */
export function cellToCrop(model) {
  const less = model.frame === "udp" ? 1 : 0;
  const step = (axis) => (model.input_size[axis] - less) / (model.heatmap_size[axis] - less);
  return { scale: [step(1), step(0)], shift: [0, 0] };
}

/** The map that applies `first`, then `then`. */
export function compose(first, then) {
  const [x, y] = [0, 1].map((i) => [
    first.scale[i] * then.scale[i],
    first.shift[i] * then.scale[i] + then.shift[i],
  ]);
  return { scale: [x[0], y[0]], shift: [x[1], y[1]] };
}

export function mapped(map, [x, y]) {
  return [map.scale[0] * x + map.shift[0], map.scale[1] * y + map.shift[1]];
}

export const minus = (a, b) => [a[0] - b[0], a[1] - b[1]];
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
export const cross = (a, b) => a[0] * b[1] - a[1] * b[0];
export const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
export const degrees = (radians) => (radians * 180) / Math.PI;

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
