// The state of the page -> what its elements show.

import { wholePhoto } from "./boxes.js";
import { agrees } from "./check.js";
import { byId, html } from "./elements.js";
import { closerBox } from "./fit.js";
import { accuracy, cards, table } from "./results.js";
import { legView } from "./views.js";
import { draftNote, number, t } from "./words.js";

/** Show all of the state; joints and rows are null without a measurement. showOnStage: of `createStage`. */
export function render(state, { joints, rows }, settings, showOnStage) {
  const { photo, found } = state;
  const shown = { start: !photo, stage: photo, tools: photo, hint: photo, result: found, empty: !found };
  for (const [id, visible] of Object.entries(shown)) byId(id).hidden = !visible;
  showAlarm(state, settings);
  showStatus(state.status);
  document.body.classList.toggle("measured", Boolean(found));
  if (photo) renderPhoto(state, joints, rows, settings, showOnStage);
  if (!found) return;
  byId("cards").replaceChildren(...cards(rows, joints.xy, settings));
  byId("table").replaceChildren(byId("table").caption, ...table(rows, settings.convention));
}

export function showStatus([key, values]) {
  byId("status").textContent = t(key, values);
  document.body.dataset.status = key;
}

/** What the network is, in the reader's language; check: pixels of the self-check, null before it is done. */
export function renderFacts(settings, check) {
  const { model, points, weights } = settings;
  const facts = {
    fact_network: model.name,
    fact_points: t(`points_${points}`),
    fact_digest: model.digest.slice(0, 12),
    fact_input: `${model.input_size.join(" × ")} → ${model.heatmap_size.join(" × ")}`,
    fact_weights: `${weights.kind}, ${number(weights.bytes / 1e6, 1)} MB`,
    fact_check: check === null ? "…" : t("check_passed", { pixels: number(check, 3) }),
    fact_version: settings.version,
  };
  const entries = Object.entries(facts).flatMap(([name, value]) => [html("dt", {}, t(name)), html("dd", {}, value)]);
  byId("facts").replaceChildren(...entries);
  byId("accuracy").textContent = accuracy(settings, "long");
  byId("measures").textContent = t(`measures_${points}`);
  byId("draft").textContent = draftNote();
  byId("draft").hidden = !draftNote();
}

/** The legs as the network found them: the view stands still while a joint is dragged. */
export function currentView({ photo, found, zoomed, boxing }) {
  return zoomed && found && !boxing ? legView(found, photo.bitmap) : wholePhoto(photo.bitmap);
}

/** A box that is closer than the one drawn by hand, or null: a box that was not drawn is fitted without a question. */
export function offeredBox({ photo, found, boxByHand }, settings) {
  return found && boxByHand ? closerBox(found, photo.box, photo.bitmap, settings) : null;
}

/** A wrong browser and a useless network stay on show with every photo; what stopped a photo is of that one. */
function showAlarm({ alarm, check }, settings) {
  const wrong = check !== null && !agrees(check) && t("check_failed", { pixels: number(check, 1) });
  const useless = settings.accuracy?.useless && accuracy(settings, "long");
  const text = wrong || (alarm && t(...alarm)) || useless || "";
  byId("alarm").hidden = !text;
  if (byId("alarm").textContent !== text) byId("alarm").textContent = text;
}

function renderPhoto(state, joints, rows, settings, showOnStage) {
  const { photo, found, boxing, zoomed, byHand, past } = state;
  showOnStage({
    bitmap: photo.bitmap,
    view: currentView(state),
    mode: boxing ? "box" : "joints",
    joints,
    rows: rows ?? [],
    box: photo.box,
    convention: settings.convention,
    minScore: settings.limits.min_score,
  });
  byId("zoom").setAttribute("aria-pressed", zoomed && !boxing);
  byId("box").setAttribute("aria-pressed", boxing);
  byId("zoom").disabled = boxing || !found;
  byId("undo").disabled = boxing || !past.length;
  byId("reset").disabled = boxing || !Object.keys(byHand).length;
  byId("box").textContent = t(boxing ? "box_done" : "box");
  const box = settings.shown === "legs" ? "hint_box_legs" : "hint_box";
  byId("hint-text").textContent = t(boxing ? box : "hint_joints");
  byId("hint-keys").textContent = t(boxing ? "keys_box" : "keys_joints");
  renderTip(state, rows, settings);
}

/** What would help: a closer box, or one drawn by hand where no leg was measured. */
function renderTip(state, rows, settings) {
  const closer = offeredBox(state, settings);
  const lost = !closer && rows?.every((row) => row.quality === "refused");
  byId("tip").hidden = state.boxing || Object.keys(state.byHand).length > 0 || !(closer || lost);
  const box = settings.shown === "legs" ? "tip_box_legs" : "tip_box";
  byId("tip-text").textContent = closer ? t("tip_fit", { share: number(100 * closer.share, 0) }) : t(box);
  byId("fit").textContent = t(closer ? "fit" : "box");
}
