/**
 * Remembers in this browser alone the models used last, and the settings of each. Choosing a model restores its
 * settings, but never replaces a value that is already set.
 */

import { store, stored } from "./stored.js";

const MODELS_KEY = "darkroom:models";
const SETTINGS = "darkroom:settings:"; // the beginning of a key
const MOST_MODELS = 5;

const composer = () => document.getElementById("composer");

document.addEventListener("htmx:after:swap", ({ detail }) => {
  const { sourceElement, response } = detail.ctx ?? {};
  if (!sourceElement || response?.status >= 400) return;
  if (sourceElement.id === "composer") remember();
  else if (["model", "other_model"].includes(sourceElement.id)) fillIn();
});

/** Return the names of the models used last, the last one first. */
export function recentModels() {
  return stored("localStorage", MODELS_KEY) ?? [];
}

function remember() {
  const form = new FormData(composer());
  const model = form.get("model");
  if (!model) return;
  store("localStorage", MODELS_KEY, [...new Set([model, ...recentModels()])].slice(0, MOST_MODELS));
  const settings = [...form].filter(([name, value]) => name.startsWith("p.") && value !== "" && isKept(name));
  store("localStorage", SETTINGS + model, Object.fromEntries(settings));
}

/** Return whether a setting is remembered: not files, which are deleted after a while, nor the seed of one picture. */
function isKept(name) {
  return name !== "p.seed" && !fields(name)[0]?.closest("[data-takes]");
}

function fillIn() {
  const model = document.getElementById("model")?.value;
  const settings = model && stored("localStorage", SETTINGS + model);
  for (const [name, value] of Object.entries(settings || {})) {
    const controls = fields(name).filter(({ type }) => type !== "hidden");
    if (controls.length && controls.every(isUntouched)) controls.forEach((control) => set(control, value));
  }
}

function fields(name) {
  const found = composer()?.elements[name];
  return found ? (found instanceof RadioNodeList ? [...found] : [found]) : [];
}

function isUntouched(control) {
  if (control.type === "radio") return !control.checked || control.value === "";
  if (control.type === "checkbox") return control.checked === (control.value === "");
  return control.value === "";
}

function set(control, value) {
  if (control.type === "radio") control.checked = control.value === value || (control.checked && !hasChoice(control, value));
  else if (control.type === "checkbox") control.checked = control.value === value;
  else control.value = value;
  control.dispatchEvent(new Event("input", { bubbles: true }));
}

function hasChoice(radio, value) {
  return fields(radio.name).some((other) => other.value === value);
}

// An address that fills in any field states all that is to be set.
if (!document.querySelector("#composer-place[data-given]")) fillIn();
