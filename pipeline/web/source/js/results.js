// What was measured, to read: a card a leg and a table of all numbers.

import { html } from "./elements.js";
import { clamp } from "./geometry.js";
import { HIPS } from "./joints.js";
import { signed } from "./legs.js";
import { number, t } from "./words.js";

const GAUGE = 20; // degrees to either side
const MARKS = { good: "✓", doubtful: "!", refused: "✕" };

/** Cards in the order in which the legs are in the photo: the one on the left is the leg seen on the left. */
export function cards(rows, xy, settings) {
  const [left, right] = rows.map((row) => card(row, settings));
  return xy[HIPS[0]][0] < xy[HIPS[1]][0] ? [left, right] : [right, left];
}

export function table(rows, convention) {
  const lines = [
    ["deviation", (row) => angle(signed(row.deviation, convention))],
    ["sd", (row) => (row.sd === null ? "–" : `${number(row.sd, 1)}°`)],
    ["medial", (row) => (row.medial === null ? "–" : `${number(row.medial, 1)}°`)],
    ["calibrated", (row) => angle(signed(row.calibrated, convention))],
    ["thigh", (row) => `${number(row.thigh, 0)} px`],
    ["shank", (row) => `${number(row.shank, 0)} px`],
    ["quality", (row) => t(`quality_${row.quality}`)],
    ["by_hand", (row) => number(row.byHand, 0)],
  ].filter(([key]) => key !== "calibrated" || rows.some((row) => row.calibrated !== null));
  const names = rows.map((row) => html("th", { scope: "col" }, t(`${row.side}_leg`)));
  const body = lines.map(([key, value]) =>
    html("tr", {}, html("th", { scope: "row" }, t(`row_${key}`)), ...rows.map((row) => html("td", {}, value(row)))),
  );
  return [html("thead", {}, html("tr", {}, html("td"), ...names)), html("tbody", {}, ...body)];
}

/** How far the network's angles are from the true ones, as far as this was measured: a short or a long sentence. */
export function accuracy(settings, length) {
  const { accuracy: measured } = settings;
  const kind = !measured ? "unknown" : measured.useless ? "none" : measured.truth;
  const numbers = measured && {
    ...measured,
    bias: number(measured.bias, 1, true),
    lower: number(measured.lower, 1, true),
    upper: number(measured.upper, 1, true),
    correlation: number(measured.correlation, 2),
    share: number(100 * measured.share, 0),
  };
  return t(`accuracy_${kind}_${length}`, numbers ?? {});
}

function card(row, settings) {
  const badge = html("span", { class: `badge ${row.quality}` }, `${MARKS[row.quality]} ${t(`quality_${row.quality}`)}`);
  const head = html("header", {}, html("h3", { class: row.side }, t(`${row.side}_leg`)), badge);
  const body = row.deviation === null ? [html("p", { class: "angle none" }, t("refused"))] : measured(row, settings);
  return html("article", { class: `leg ${row.quality}` }, head, ...body, ...doubts(row));
}

function measured(row, settings) {
  const { convention } = settings;
  const degrees = html("strong", {}, angle(signed(row.deviation, convention)));
  const sd = row.sd === null ? t("sd_by_hand") : t("sd_of", { degrees: number(row.sd, 1) });
  const medial = t("medial_of", { degrees: number(row.medial, 1) });
  return [
    html("p", { class: "angle" }, degrees, html("span", {}, inWord(row.deviation))),
    html("p", { class: "spread" }, `${sd} · ${medial}`),
    ...calibrated(row, convention),
    html("p", { class: "error" }, accuracy(settings, "short")),
    gauge(row, convention),
  ];
}

function calibrated(row, convention) {
  if (row.calibrated === null) return [];
  const values = { degrees: number(signed(row.calibrated, convention), 1, true), rms: number(row.calibratedRms, 1) };
  return [html("p", { class: "spread" }, t("calibrated_of", values))];
}

function doubts(row) {
  const entries = Object.entries(row.flags);
  if (!entries.length) return [];
  const items = entries.map(([flag, why]) => {
    const reasons = why.map(([key, values]) => t(`reason_${key}`, translated(values))).join("; ");
    return html("li", {}, html("b", {}, t(`flag_${flag}`)), ` ${reasons}`);
  });
  const help = "knee_bent" in row.flags ? "refused_bent" : "refused_help";
  return [
    html("ul", { class: "doubts" }, ...items),
    ...(row.quality === "refused" ? [html("p", { class: "help" }, t(help))] : []),
  ];
}

/** Valgus to varus as a line, with the angle and one standard deviation to both sides. */
function gauge(row, convention) {
  const at = (value) => `${50 + (50 * clamp(value, -GAUGE, GAUGE)) / GAUGE}%`;
  const degrees = signed(row.deviation, convention);
  const sd = row.sd ?? 0;
  const band = html("span", { class: "band" });
  band.style.left = at(degrees - sd);
  band.style.right = `calc(100% - ${at(degrees + sd)})`;
  const mark = html("span", { class: "mark" });
  mark.style.left = at(degrees);
  const ends = convention === "varus" ? ["valgus", "varus"] : ["varus", "valgus"];
  const names = [t(ends[0]), "0°", t(ends[1])].map((text) => html("span", {}, text));
  const line = html("div", { class: "line" }, band, mark);
  return html("div", { class: "gauge", "aria-hidden": "true" }, line, html("p", { class: "ends" }, ...names));
}

const angle = (degrees) => (degrees === null ? "–" : `${number(degrees, 1, true)}°`);
const inWord = (varus) => t(Math.abs(varus) < 0.05 ? "straight" : varus > 0 ? "varus" : "valgus");
const translated = (values) => ("joint" in values ? { ...values, joint: t(values.joint) } : values);
