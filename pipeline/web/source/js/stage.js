// The photo with its legs: joints that can be dragged or moved by arrow keys, a box that can be drawn, a loupe.

import { boxBetween, cornerOf, CORNERS, oppositeOf } from "./boxes.js";
import { svg } from "./elements.js";
import { clamp, distance } from "./geometry.js";
import { jointKey, LEG_JOINTS } from "./joints.js";
import { createLoupe } from "./loupe.js";
import { drawnLegs } from "./overlay.js";
import { paint } from "./views.js";
import { t } from "./words.js";

const REACH = 24; // CSS pixels around a joint or a corner in which a finger takes hold of it
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * The function that shows {bitmap, view, mode, joints, rows, box, convention, minScore} on the stage's elements.
 *
 * on: {joint(joint, xy, done), box(box, done)}, called while something is moved and, with `done`, when it is let go.
 */
export function createStage({ frame, photo, overlay, loupe: canvas }, on) {
  const shown = { bitmap: null };
  const loupe = createLoupe(canvas);
  const layers = { dim: svg("g"), legs: svg("g"), handles: svg("g") };
  const joints = new Map(LEG_JOINTS.map((joint) => [joint, handle("joint")]));
  const corners = CORNERS.map(() => handle("corner"));
  layers.handles.append(...joints.values(), ...corners);
  overlay.append(...Object.values(layers));

  new ResizeObserver(redraw).observe(frame);
  overlay.addEventListener("pointerdown", grab);
  // a finger on a joint moves the joint, any other scrolls the page; touch-action alone does not reach inside an SVG
  overlay.addEventListener("touchstart", (event) => takesHold(event.touches[0]) && event.preventDefault(), {
    passive: false,
  });
  for (const [joint, element] of joints) {
    element.addEventListener("keydown", (event) => nudgeJoint(event, joint));
    element.addEventListener("focus", () => magnify(shown.joints.xy[joint]));
    element.addEventListener("blur", loupe.hide);
  }
  corners.forEach((element, i) => element.addEventListener("keydown", (event) => nudgeCorner(event, i)));

  return (changes) => {
    Object.assign(shown, changes);
    redraw();
  };

  /** Photo pixels of one CSS pixel. */
  function unit() {
    return shown.view.width / (overlay.clientWidth || 1);
  }

  function redraw() {
    const { bitmap, view, mode, box } = shown;
    if (!bitmap) return;
    frame.style.setProperty("--aspect", view.width / view.height);
    overlay.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
    frame.dataset.mode = mode;
    paint(photo, bitmap, view, photo.clientWidth, photo.clientHeight);
    layers.legs.replaceChildren(shown.joints ? drawnLegs(shown, unit()) : "");
    layers.dim.replaceChildren(...(mode === "box" ? dimmed(box, view, unit()) : []));
    for (const [joint, element] of joints) placeJoint(joint, element);
    corners.forEach((element, i) => {
      element.setAttribute("aria-label", t(`corner_${i}`));
      place(element, mode === "box" && cornerOf(box, i));
    });
  }

  function placeJoint(joint, element) {
    const visible = shown.mode === "joints" && shown.joints;
    if (visible) {
      const seen = shown.joints.score[joint] >= shown.minScore;
      element.classList.toggle("unseen", !seen);
      element.setAttribute("aria-label", `${t(jointKey(joint))}. ${t(seen ? "joint_move" : "joint_place")}`);
      nameUnseen(element.lastChild, seen ? "" : t(jointKey(joint)), joint);
    }
    place(element, visible && shown.joints.xy[joint]);
  }

  /** Write a joint's name beside it, the right one's above and the left one's below, inside the picture. */
  function nameUnseen(text, name, joint) {
    const { x, width } = shown.view;
    const across = (shown.joints.xy[joint][0] - x) / width;
    text.setAttribute("text-anchor", across < 0.2 ? "start" : across > 0.8 ? "end" : "middle");
    text.setAttribute("y", jointKey(joint).startsWith("right") ? -14 : 24);
    text.textContent = name;
  }

  function place(element, point) {
    element.style.display = point ? "" : "none";
    if (point)
      element.setAttribute("transform", `translate(${point[0] + 0.5} ${point[1] + 0.5}) scale(${unit()})`);
  }

  function magnify(point) {
    loupe.show(shown.bitmap, point, shown.view, unit());
  }

  // pointer: a joint, a corner, or a new box

  function grab(event) {
    if (!shown.bitmap || event.button) return;
    if (shown.mode === "joints") grabJoint(event);
    else grabBox(event);
  }

  function grabBox(event) {
    event.preventDefault();
    const start = position(event);
    const corner = nearest(CORNERS.keys(), (i) => cornerOf(shown.box, i), start);
    const anchor = corner === undefined ? start : oppositeOf(shown.box, corner);
    follow(event, (at, done) => {
      const box = boxBetween(anchor, at, shown.bitmap);
      if (box) on.box(box, done);
      else if (done) on.box(shown.box, done);
    });
  }

  function grabJoint(event) {
    const start = position(event);
    const joint = nearestJoint(start);
    if (joint === undefined) return;
    event.preventDefault();
    joints.get(joint).focus({ preventScroll: true });
    const before = shown.joints.xy[joint];
    let moved = false;
    follow(event, (at, done) => {
      // the joint keeps its distance from the finger, which would hide it
      const to = inside([before[0] + at[0] - start[0], before[1] + at[1] - start[1]]);
      moved ||= distance(at, start) > 2 * unit();
      if (moved) on.joint(joint, to, done);
      if (done) loupe.hide();
      else magnify(moved ? to : before);
    });
  }

  /** Call `moved` with each position of a pointer, and with the last one when it is let go. */
  function follow(event, moved) {
    overlay.setPointerCapture(event.pointerId);
    let last = position(event);
    const move = (e) => e.pointerId === event.pointerId && moved((last = position(e)), false);
    const stop = (e) => {
      if (e.pointerId !== event.pointerId) return;
      for (const [kind, listener] of listeners) overlay.removeEventListener(kind, listener);
      moved(last, true); // a cancelled pointer has no position
    };
    const listeners = [
      ["pointermove", move],
      ["pointerup", stop],
      ["pointercancel", stop],
    ];
    for (const [kind, listener] of listeners) overlay.addEventListener(kind, listener);
    moved(last, false);
  }

  /** Whether a pointer moves something: a joint near it, or in box mode the box, wherever it is. */
  function takesHold(pointer) {
    if (!shown.bitmap) return false;
    return shown.mode === "box" || nearestJoint(position(pointer)) !== undefined;
  }

  function nearestJoint(at) {
    return shown.joints ? nearest(LEG_JOINTS, (joint) => shown.joints.xy[joint], at) : undefined;
  }

  function nearest(keys, point, at) {
    const near = [...keys].map((key) => [distance(point(key), at), key]).filter(([far]) => far <= REACH * unit());
    return near.sort(([a], [b]) => a - b)[0]?.[1];
  }

  function position(event) {
    const { left, top } = overlay.getBoundingClientRect();
    const { view } = shown;
    return [view.x + (event.clientX - left) * unit() - 0.5, view.y + (event.clientY - top) * unit() - 0.5];
  }

  // keyboard

  function nudgeJoint(event, joint) {
    const from = shown.joints.xy[joint];
    const accepts = event.key === "Enter" || event.key === " ";
    if (!accepts && !ARROWS[event.key]) return;
    event.preventDefault();
    const to = accepts ? from : inside(stepped(from, event, unit() * (event.shiftKey ? 10 : 1)));
    on.joint(joint, to, true);
    if (!accepts) magnify(to);
  }

  function nudgeCorner(event, i) {
    if (!ARROWS[event.key]) return;
    event.preventDefault();
    const at = stepped(cornerOf(shown.box, i), event, unit() * (event.shiftKey ? 40 : 10));
    const box = boxBetween(oppositeOf(shown.box, i), at, shown.bitmap);
    if (box) on.box(box, true);
  }

  function inside([x, y]) {
    return [clamp(x, 0, shown.bitmap.width - 1), clamp(y, 0, shown.bitmap.height - 1)];
  }
}

const stepped = (point, event, step) => point.map((value, axis) => value + ARROWS[event.key][axis] * step);

function handle(kind) {
  return svg(
    "g",
    { class: `handle ${kind}`, tabindex: 0, role: "button" },
    svg("circle", { class: "reach", r: REACH }),
    svg("circle", { class: "ring", r: 9 }),
    svg("circle", { class: "dot", r: 2 }),
    svg("text", { class: "name" }),
  );
}

/** Everything outside the box darkened, and the box's edge. */
function dimmed(box, view, unit) {
  const path = ({ x, y, width, height }) => `M${x} ${y}h${width}v${height}h${-width}z`;
  const dashes = `${6 * unit} ${4 * unit}`;
  return [
    svg("path", { d: path(view) + path(box), "fill-rule": "evenodd", fill: "#0a1a22", "fill-opacity": 0.55 }),
    svg("path", { d: path(box), fill: "none", stroke: "#fff", "stroke-width": 2 * unit, "stroke-dasharray": dashes }),
  ];
}
