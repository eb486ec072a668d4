/**
 * Remembers in this browser alone the models used last, and the settings of each. Choosing a model restores its
 * settings, but never replaces a value that is already set.
 */

const MODELS = "darkroom:models";
const SETTINGS = "darkroom:settings:";
const MOST_MODELS = 5;

const composer = () => document.getElementById("composer");

document.addEventListener("htmx:after:swap", ({ detail }) => {
  const { sourceElement, response } = detail.ctx ?? {};
  if (!sourceElement || response?.status >= 400) return;
  if (sourceElement.id === "composer") remember();
  else if (["model", "other_model"].includes(sourceElement.id)) fillIn();
});

function remember() {
  const form = new FormData(composer());
  const model = form.get("model");
  if (!model) return;
  put(MODELS, [model, ...get(MODELS, []).filter((other) => other !== model)].slice(0, MOST_MODELS));
  const settings = [...form].filter(([name, value]) => name.startsWith("p.") && value !== "" && isKept(name));
  put(SETTINGS + model, Object.fromEntries(settings));
}

/** Return whether a setting is remembered: not files, which are deleted after a while, nor the seed of one picture. */
function isKept(name) {
  return name !== "p.seed" && !fields(name)[0]?.closest("[data-takes]");
}

function fillIn() {
  const model = document.getElementById("model")?.value;
  for (const [name, value] of Object.entries(model ? get(SETTINGS + model, {}) : {})) {
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

function get(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise; // the browser stores nothing here, or the value is not ours
  }
}

function put(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // full, or not allowed: the value is not remembered
  }
}

// An address that fills in any field states all that is to be set.
if (!document.querySelector("#composer-place[data-given]")) fillIn();
