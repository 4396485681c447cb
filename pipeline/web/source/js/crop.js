// Photo -> crop, as cache_tools/images.py cuts it: bilinear, black outside, a large photo halved first.

const HALVED_FROM = 4;

/**
 * RGB bytes (height, width, 3) whose pixel p shows photo pixel `toImage` p.
 *
 * Only the photo rows that an output row lies between are ever read, so that a photo of 100 megapixels costs no more
 * memory than its decoded bitmap, and no canvas exceeds what a phone's browser allows.
 */
export function cut(bitmap, toImage, [height, width]) {
  const factor = shrinkFactor(toImage);
  const map = toShrunk(toImage, factor);
  const columns = Array.from({ length: width }, (_, x) => between(map.scale[0] * x + map.shift[0]));
  const rows = shrunkRows(bitmap, factor, columns[0].low, columns.at(-1).low + 1);
  const crop = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    const { low, part } = between(map.scale[1] * y + map.shift[1]);
    const [above, below] = [rows(low), rows(low + 1)];
    for (let x = 0; x < width; x++) {
      const column = 3 * (columns[x].low - columns[0].low);
      for (let channel = 0; channel < 3; channel++) {
        const at = column + channel;
        const upper = above[at] + columns[x].part * (above[at + 3] - above[at]);
        const lower = below[at] + columns[x].part * (below[at + 3] - below[at]);
        crop[(y * width + x) * 3 + channel] = roundedToEven(upper + part * (lower - upper));
      }
    }
  }
  return crop;
}

/** The crop seen in a mirror. */
export function mirrored(crop, [height, width]) {
  const other = new Uint8Array(crop.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let channel = 0; channel < 3; channel++)
        other[(y * width + x) * 3 + channel] = crop[(y * width + (width - 1 - x)) * 3 + channel];
  return other;
}

/** The largest power of two that is at most the photo pixels of one crop pixel; 1 where it is below HALVED_FROM. */
function shrinkFactor({ scale }) {
  const step = Math.sqrt(scale[0] * scale[1]);
  const factor = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(step, 1)) + 1e-6));
  return factor >= HALVED_FROM ? factor : 1;
}

/** Crop pixel -> pixel of the photo made smaller: its pixel i is the mean of those from factor * i on. */
function toShrunk({ scale, shift }, factor) {
  return {
    scale: scale.map((value) => value / factor),
    shift: shift.map((value) => (value - (factor - 1) / 2) / factor),
  };
}

/** The function row -> RGB values of the columns `first` to `last` of the photo made smaller; black outside it. */
function shrunkRows(bitmap, factor, first, last) {
  const columns = last - first + 1;
  const strip = new OffscreenCanvas(columns * factor, factor);
  const context = strip.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  const kept = new Map(); // the last two rows
  return (row) => {
    if (kept.has(row)) return kept.get(row);
    context.clearRect(0, 0, strip.width, factor); // what is outside the photo stays black
    context.drawImage(bitmap, -first * factor, -row * factor);
    let pixels = withoutAlpha(context.getImageData(0, 0, strip.width, factor).data);
    for (let size = factor; size > 1; size /= 2) pixels = halved(pixels, columns * size, size);
    if (kept.size > 1) kept.delete(kept.keys().next().value);
    kept.set(row, pixels);
    return pixels;
  };
}

/** RGB values of RGBA ones. */
function withoutAlpha(data) {
  const pixels = new Uint8Array((3 * data.length) / 4);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    pixels[to] = data[from];
    pixels[to + 1] = data[from + 1];
    pixels[to + 2] = data[from + 2];
  }
  return pixels;
}

/** RGB values (height / 2, width / 2, 3), each the mean of four with halves rounded up. */
function halved(pixels, width, height) {
  const half = new Uint8Array(pixels.length / 4);
  for (let y = 0, to = 0; y < height; y += 2)
    for (let x = 0; x < width; x += 2)
      for (let channel = 0; channel < 3; channel++, to++) {
        const at = 3 * (y * width + x) + channel;
        const below = at + 3 * width;
        half[to] = (pixels[at] + pixels[at + 3] + pixels[below] + pixels[below + 3] + 2) >> 2;
      }
  return half;
}

/** Rounded as OpenCV rounds: halves are frequent where a crop's step is a multiple of 1/8 pixel. */
function roundedToEven(value) {
  const up = Math.round(value);
  return up - value === 0.5 && up % 2 ? up - 1 : up;
}

function between(position) {
  const low = Math.floor(position);
  return { low, part: position - low };
}
