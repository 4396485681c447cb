// The stage as a PNG with a strip below that says how it was measured: a picture is passed on without its page.

import { svg } from "./elements.js";
import { drawnLegs } from "./overlay.js";
import { measuredBy } from "./records.js";
import { t } from "./words.js";

const SHORTEST = 640; // pixels of the picture's shorter side at least, for its text to be read
const LONGEST = 2400;
const ACROSS = 520; // lines are as wide as on a stage of so many pixels

export async function asPng(shown, settings) {
  const { bitmap, view, rows } = shown;
  const scale = Math.min(
    Math.max(1, SHORTEST / Math.min(view.width, view.height)),
    LONGEST / Math.max(view.width, view.height),
  );
  const [width, height] = [Math.round(view.width * scale), Math.round(view.height * scale)];
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const size = Math.max(15, Math.round(width / 52));
  context.font = `${size}px system-ui, sans-serif`;
  const lines = strip(rows, settings).flatMap((line) => wrapped(context, line, width - 2 * size));
  canvas.width = width;
  canvas.height = height + Math.round((lines.length * 1.4 + 1) * size);
  context.fillStyle = "#0d1f28";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.save();
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  context.scale(width / view.width, height / view.height);
  context.drawImage(bitmap, -view.x, -view.y);
  context.restore();
  const unit = view.width / Math.min(ACROSS, width);
  context.drawImage(await legs(drawnLegs(shown, unit), view, width, height), 0, 0);
  context.font = `${size}px system-ui, sans-serif`;
  context.fillStyle = "#ffffff";
  lines.forEach((line, i) => context.fillText(line, size, height + (1.4 * i + 1.5) * size));
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function strip(rows, settings) {
  const byHand = rows.reduce((sum, row) => sum + row.byHand, 0);
  return [measuredBy(settings), ...(byHand ? [t("picture_by_hand", { count: byHand })] : []), t("notice")];
}

async function legs(group, { x, y, width, height }, pixelsWide, pixelsHigh) {
  const viewBox = `${x} ${y} ${width} ${height}`;
  const drawing = svg("svg", { viewBox, width: pixelsWide, height: pixelsHigh }, group);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(drawing))}`;
  await image.decode();
  return image;
}

function wrapped(context, text, width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (context.measureText(longer).width <= width || !lines.at(-1)) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
