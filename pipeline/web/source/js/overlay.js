// Legs drawn on a photo (pipeline/hka/overlay.py): hip-ankle line, segments, each joint's uncertainty, the angle.
// Photo pixels have their centres at integers; in SVG the first pixel's centre is at .5.

import { axes } from "./covariance.js";
import { svg } from "./elements.js";
import { clamp, degrees } from "./geometry.js";
import { LEGS } from "./joints.js";
import { signed } from "./legs.js";
import { number, t } from "./words.js";

// Left is light with a dark edge, right is dark with a light edge: they differ in grey, too.
const COLOURS = { left: ["#ffbe1e", "#141414"], right: ["#1446c8", "#ffffff"] };
const WRITING = { good: "#ffffff", doubtful: "#ffd97a" };

/**
 * A group with both legs. unit: photo pixels that a line of width 1 takes. A leg with unseen joints has no lines, because
 * its place is not known; `stage.js` shows its joints, to be moved by hand.
 */
export function drawnLegs({ joints, rows, convention, view }, unit) {
  const group = svg("g", { transform: "translate(.5 .5)" });
  rows.forEach((row, leg) => "unseen" in row.flags || group.append(...lines(row, leg, joints, unit)));
  rows.forEach((row, leg) => {
    if (row.deviation !== null) group.append(label(row, leg, joints, convention, view, unit));
  });
  return group;
}

function lines(row, leg, joints, unit) {
  const [hip, knee, ankle] = LEGS[leg].map((joint) => joints.xy[joint]);
  const [line, edge] = COLOURS[row.side];
  return [
    stroke([hip, ankle], "#000", 2.6 * unit, 7 * unit),
    stroke([hip, ankle], "#fff", 1.4 * unit, 7 * unit),
    stroke([hip, knee, ankle], edge, 5 * unit),
    stroke([hip, knee, ankle], line, 3 * unit),
    ...LEGS[leg].flatMap((joint) => certainty(joints, joint, unit, row.side)),
  ];
}

function stroke(points, colour, width, dash) {
  return svg("polyline", {
    points: points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(" "),
    fill: "none",
    stroke: colour,
    "stroke-width": width,
    "stroke-linejoin": "round",
    ...(dash ? { "stroke-dasharray": `${dash} ${dash}` } : { "stroke-linecap": "round" }),
  });
}

/** Two standard deviations around a joint, or a small square where it was placed by hand. */
function certainty(joints, joint, unit, side) {
  const inks = [
    ["#fff", 3],
    [side === "left" ? "#141414" : "#1446c8", 1.2],
  ];
  const [name, shape] = joint in joints.byHand ? square(joints.xy[joint], 9 * unit) : ellipse(joints, joint, unit);
  return inks.map(([stroke, width]) => svg(name, { ...shape, fill: "none", stroke, "stroke-width": width * unit }));
}

const square = ([x, y], side) => ["rect", { x: x - side / 2, y: y - side / 2, width: side, height: side }];

function ellipse(joints, joint, unit) {
  const [x, y] = joints.xy[joint];
  const { values, vectors } = axes(joints.covariance[joint]);
  const [rx, ry] = values.map((value) => Math.max(2 * Math.sqrt(Math.max(value, 0)), 2 * unit));
  const turn = degrees(Math.atan2(vectors[0][1], vectors[0][0]));
  return ["ellipse", { rx, ry, transform: `translate(${x} ${y}) rotate(${turn})` }];
}

/** The angle beside the knee, away from the other leg; lower where it has no room there. */
function label(row, leg, joints, convention, view, unit) {
  const angle = number(signed(row.deviation, convention), 1, true);
  const written = `${t(`${row.side}_short`)} ${angle}°${row.sd === null ? "" : ` ± ${number(row.sd, 1)}`}`;
  const size = 15 * unit;
  const width = 0.58 * size * written.length; // about; textLength makes it exact
  const [x, y] = joints.xy[LEGS[leg][1]];
  const outwards = x >= joints.xy[LEGS[1 - leg][1]][0];
  const beside = outwards ? x + 18 * unit : x - 18 * unit - width;
  const inside = clamp(beside, view.x + 6 * unit, Math.max(view.x, view.x + view.width - width - 6 * unit));
  const text = svg("text", {
    x: inside,
    y: y + (inside === beside ? 5 : 32) * unit,
    textLength: width,
    lengthAdjust: "spacingAndGlyphs",
    "font-family": "system-ui, sans-serif",
    "font-size": size,
    "font-weight": 650,
    fill: WRITING[row.quality],
    stroke: "#000",
    "stroke-width": 4 * unit,
    "stroke-linejoin": "round",
    "paint-order": "stroke",
  });
  text.textContent = written;
  return text;
}
