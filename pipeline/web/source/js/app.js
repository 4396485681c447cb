// The page: one photo at a time, from file to angles, corrected by hand, saved.

import { wholePhoto } from "./boxes.js";
import { agrees, differenceFromKdcache, examplePhoto } from "./check.js";
import { listen } from "./controls.js";
import { byId, html } from "./elements.js";
import { corrected, legRows } from "./legs.js";
import { measure } from "./measure.js";
import { remember, remembered } from "./memory.js";
import { loadNetwork } from "./network.js";
import { keepOffline } from "./offline.js";
import { PhotoError, readPhoto } from "./photo.js";
import { asCsvFile, asJsonFile, asPngFile } from "./save.js";
import { currentView, offeredBox, render, renderFacts, showStatus } from "./screen.js";
import { exported } from "./settings.js";
import { createStage } from "./stage.js";
import { languages, number, setLanguage } from "./words.js";

const settings = { ...exported, convention: remembered("convention") === "valgus" ? "valgus" : "varus" };
const state = {
  photo: null, // {name, bitmap, box}
  boxByHand: false,
  found: null, // by the network
  byHand: {}, // joint -> [x, y]
  past: [], // earlier `byHand`s, for undo
  moving: false,
  zoomed: false,
  boxing: false,
  opened: 0, // how many photos were opened: one that is read after a newer one is dropped
  requests: 0, // how often the network was asked to measure: an answer to an older request is dropped
  status: ["loading", {}],
  alarm: null,
  check: null, // pixels
};

const elements = { frame: byId("stage"), photo: byId("photo"), overlay: byId("overlay"), loupe: byId("loupe") };
const showOnStage = createStage(elements, { joint: moveJoint, box: changeBox });
const network = loadNetwork(settings.model);

start();

function start() {
  if (settings.shown === "legs") byId("guide-shown").dataset.t = "guide_legs";
  const language = setLanguage(remembered("language"), ...navigator.languages);
  for (const [code, name] of languages()) byId("language").append(html("option", { value: code, lang: code }, name));
  byId("language").value = language;
  document.querySelector(`input[value=${settings.convention}]`).checked = true;
  const example = async () => open(await examplePhoto());
  listen({ open, example, toggle, undo, reset, fit, save, speak, turnSign, fail });
  document.body.classList.toggle("touch", matchMedia("(pointer: coarse)").matches);
  byId("too-old").remove();
  // the policy does not reach WebRTC, which nothing here uses
  for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection"]) delete window[name];
  keepOffline(byId("install"));
  show();
  network.then(selfCheck).catch((error) => fail("network_failed", { error: error.message }));
}

function show() {
  renderFacts(settings, state.check);
  update();
}

function update() {
  render(state, state.found ? current() : { joints: null, rows: null }, settings, showOnStage);
}

/** Joints and rows as they are now, with what was moved by hand. */
function current() {
  const joints = corrected(state.found, state.byHand);
  return { joints, rows: legRows(joints, settings) };
}

// measuring

async function open(file) {
  const opened = ++state.opened;
  state.alarm = null;
  say("reading");
  try {
    const { name, bitmap } = await readPhoto(file);
    if (opened !== state.opened) return bitmap.close();
    state.photo?.bitmap.close();
    const fresh = { found: null, byHand: {}, past: [], zoomed: false, boxing: false, boxByHand: false };
    Object.assign(state, fresh, { photo: { name, bitmap, box: wholePhoto(bitmap) } });
    update();
    look();
  } catch (error) {
    if (opened !== state.opened) return;
    if (error instanceof PhotoError) fail(error.message, { name: file.name });
    else fail("failed", { error: error.message });
  }
}

async function look() {
  const request = ++state.requests;
  say("measuring");
  try {
    const joints = await network;
    await painted();
    if (request !== state.requests) return;
    const { found, box } = await measure(joints, state.photo.bitmap, state.photo.box, !state.boxByHand, settings);
    if (request !== state.requests) return;
    state.photo.box = box;
    Object.assign(state, { found, byHand: {}, past: [] });
    const seconds = Object.values(found.milliseconds).reduce((a, b) => a + b) / 1000;
    const nobody = current().rows.every((row) => row.quality === "refused");
    state.status = [nobody ? "nobody" : "measured", { seconds: number(seconds, 2) }];
    update();
  } catch (error) {
    // the photo of an older request is closed, so that its second look fails
    if (request === state.requests) fail("failed", { error: error.message });
  }
}

async function selfCheck(joints) {
  state.check = await differenceFromKdcache(joints, settings.check);
  document.body.dataset.check = state.check.toFixed(4);
  if (!agrees(state.check)) state.status = ["stopped", {}];
  else if (!state.photo) say("ready");
  show();
}

// correcting

function moveJoint(joint, xy, done) {
  if (!state.moving) state.past.push(state.byHand);
  state.moving = !done;
  state.byHand = { ...state.byHand, [joint]: xy };
  if (done) state.status = ["moved", {}];
  update();
}

function undo() {
  state.byHand = state.past.pop();
  update();
}

function reset() {
  state.past.push(state.byHand);
  state.byHand = {};
  update();
}

function changeBox(box, done) {
  state.photo.box = box;
  state.boxByHand = true;
  update();
  if (done) look();
}

function fit() {
  const closer = offeredBox(state, settings);
  if (closer) changeBox(closer.box, true);
  else toggle("boxing");
}

function toggle(name) {
  state[name] = !state[name];
  update();
}

// telling

function speak(language) {
  remember("language", setLanguage(language));
  show();
}

function turnSign(convention) {
  settings.convention = convention;
  remember("convention", convention);
  update();
}

function save(kind) {
  const { joints, rows } = current();
  if (kind === "csv") return asCsvFile(rows, state.photo, settings);
  if (kind === "json") return asJsonFile(rows, state.photo, joints, settings);
  return asPngFile(state.photo, { view: currentView(state), joints, rows, convention: settings.convention }, settings);
}

function say(key, values = {}) {
  state.status = [key, values];
  showStatus(state.status);
}

function fail(key, values) {
  state.alarm = [key, values];
  state.status = ["stopped", {}];
  update();
}

function painted() {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}
