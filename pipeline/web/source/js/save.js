// Results as files, by the browser's download.

import { asPng } from "./picture.js";
import { asCsv, asJson } from "./records.js";

export const asCsvFile = (rows, photo, settings) =>
  download(new Blob([asCsv(rows, photo, settings)], { type: "text/csv" }), photo, "csv");

export const asJsonFile = (rows, photo, joints, settings) =>
  download(new Blob([asJson(rows, photo, joints, settings)], { type: "application/json" }), photo, "json");

export const asPngFile = async (photo, shown, settings) =>
  download(await asPng({ ...shown, bitmap: photo.bitmap }, settings), photo, "png");

function download(blob, photo, suffix) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${photo.name.replace(/\.\w+$/, "")}-hka.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
