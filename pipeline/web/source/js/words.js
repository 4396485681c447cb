// Sentences in the reader's language. A key without a translation is shown in English; {name} is filled in.

import { json } from "./payload.js";

const strings = json("strings"); // language -> key -> sentence
let language = "en";

export const languages = () => Object.entries(strings).map(([code, words]) => [code, words.language]);

/** The first of the wanted languages that the page has. */
export function setLanguage(...wanted) {
  language = wanted.map((code) => (code || "").slice(0, 2)).find((code) => strings[code]) || "en";
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]"))
    element.setAttribute("aria-label", t(element.dataset.tLabel));
  return language;
}

export function t(key, values = {}) {
  return filled(strings[language][key] ?? strings.en[key] ?? key, values);
}

/** Says that a translation is a draft, where it is one; else empty. */
export function draftNote() {
  return strings[language].draft ?? "";
}

/** The same in English, for files. */
export function english(key, values = {}) {
  return filled(strings.en[key] ?? key, values);
}

/** A number in the reader's way, with its sign where requested. */
export function number(value, digits, signed = false) {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return value.toLocaleString(language, { ...options, signDisplay: signed ? "exceptZero" : "auto" }).replace("-", "−");
}

function filled(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}
