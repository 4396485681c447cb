// Rows as CSV or JSON, in English, whatever the language of the page: the columns of `kdcache hka measure --out`.

import { signed } from "./legs.js";
import { english } from "./words.js";

/** The columns of the command, and how many joints of the leg were placed by hand. */
export function asCsv(rows, photo, settings) {
  const records = rows.map((row) => record(row, photo, settings));
  const names = Object.keys(records[0]);
  const lines = [names, ...records.map((r) => names.map((name) => r[name]))];
  return lines.map((line) => line.map(quoted).join(",")).join("\n") + "\n";
}

export function asJson(rows, photo, joints, settings) {
  const known = settings.model.keypoints.map((name, i) => [name, i]).filter(([, i]) => settings.model.places[i] !== null);
  const keypoints = Object.fromEntries(
    known.map(([name, i]) => [
      name,
      { xy: joints.xy[i], score: joints.score[i], covariance: joints.covariance[i], by_hand: i in joints.byHand },
    ]),
  );
  const { name, digest } = settings.model;
  return JSON.stringify(
    {
      notice: settings.notice,
      settings: { network: name, digest, angle: settings.angle, convention: settings.convention, made_by: settings.version },
      photo: photo.name,
      size: [photo.bitmap.height, photo.bitmap.width],
      box: photo.box,
      keypoints,
      legs: rows.map((row) => record(row, photo, settings)),
    },
    null,
    1,
  );
}

/** Which network, which angle, which sign and whether calibrated: what no number should be read without. */
export function measuredBy({ measured, convention }) {
  return measured.replace("{convention}", `${convention} positive`);
}

function record(row, photo, settings) {
  const reasons = Object.entries(row.flags).map(([flag, why]) => {
    const sentences = why.map(([key, values]) => english(`reason_${key}`, inEnglish(values)));
    return `${flag}: ${sentences.join(flag === "unseen" ? ", " : "; ")}`;
  });
  return {
    photo: photo.name,
    person: 0,
    side: row.side,
    deviation_degrees: decimal(signed(row.deviation, settings.convention), 2),
    sd_degrees: decimal(row.sd, 2),
    medial_angle_degrees: decimal(row.medial, 2),
    calibrated_degrees: decimal(signed(row.calibrated, settings.convention), 2),
    calibrated_rms_degrees: decimal(row.calibratedRms, 2),
    thigh_pixels: decimal(row.thigh, 1),
    shank_pixels: decimal(row.shank, 1),
    quality: row.quality,
    flags: reasons.join(" | "),
    angle: settings.angle.name,
    measured: measuredBy(settings),
    notice: settings.notice,
    joints_by_hand: row.byHand,
  };
}

const inEnglish = (values) => ("joint" in values ? { ...values, joint: english(values.joint) } : values);
const decimal = (value, digits) => (value === null ? null : Number(value.toFixed(digits)));
// a spreadsheet would run text that begins so as a formula, as pipeline/report/spreadsheet.py says
const asText = (value) => (typeof value === "string" && /^\s*[=+\-@\t]/.test(value) ? `'${value}` : value);
const quoted = (cell) => {
  const value = asText(cell);
  return /[",\n\r]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : (value ?? "");
};
