// Buttons, files, drops and pastes -> what the page does.

import { openCamera } from "./camera.js";
import { byId } from "./elements.js";

export function listen({ open, example, toggle, undo, reset, fit, save, speak, turnSign, fail }) {
  for (const id of ["file", "take-file"])
    byId(id).addEventListener("change", ({ target }) => {
      if (target.files[0]) open(target.files[0]);
      target.value = ""; // so that the same photo can be chosen again
    });
  byId("example").addEventListener("click", example);
  byId("zoom").addEventListener("click", () => toggle("zoomed"));
  byId("box").addEventListener("click", () => toggle("boxing"));
  byId("undo").addEventListener("click", undo);
  byId("reset").addEventListener("click", reset);
  byId("fit").addEventListener("click", fit);
  for (const kind of ["png", "csv", "json"]) byId(`save-${kind}`).addEventListener("click", () => save(kind));
  byId("language").addEventListener("change", ({ target }) => speak(target.value));
  for (const radio of document.querySelectorAll("input[name=convention]"))
    radio.addEventListener("change", () => turnSign(radio.value));
  dropsAndPastes(open);
  camera(open, fail);
}

function dropsAndPastes(open) {
  const over = (event, on) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", on);
  };
  document.addEventListener("dragover", (event) => over(event, true));
  document.addEventListener("dragleave", (event) => over(event, false));
  document.addEventListener("drop", (event) => {
    over(event, false);
    if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", ({ clipboardData }) => clipboardData.files[0] && open(clipboardData.files[0]));
}

/** Phones open their own camera by the file input; a laptop gets a dialog, where the browser allows it. */
function camera(open, fail) {
  if (matchMedia("(pointer: coarse)").matches || !navigator.mediaDevices) return;
  byId("take").hidden = byId("take-file").hidden = true;
  byId("camera").hidden = false;
  byId("camera").addEventListener("click", () =>
    openCamera(byId("camera-dialog"), open).catch((error) => fail("no_camera", { error: error.message })),
  );
}
