/**
 * Remembers in this browser alone the last prompts (see js/keys.js), the models used last, and the settings of each.
 * Choosing a model restores its settings, but never replaces a value that is already set. A prompt that is not sent yet
 * when the session ends is there again after signing in, in this tab.
 */

const PROMPTS = "darkroom:prompts";
const MODELS = "darkroom:models";
const SETTINGS = "darkroom:settings:";
const UNSENT = "darkroom:unsent";
const MOST_PROMPTS = 50;
const MOST_MODELS = 5;

let back = -1; // how many prompts back the field is; -1 is the draft
let draft = "";

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
  const prompt = form.get("prompt").trim();
  back = -1;
  put(PROMPTS, [prompt, ...get(PROMPTS, []).filter((other) => other !== prompt)].slice(0, MOST_PROMPTS));
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

document.addEventListener("prompt:recall", ({ detail: steps }) => {
  const field = document.getElementById("prompt");
  const prompts = get(PROMPTS, []);
  const next = Math.max(-1, Math.min(back + steps, prompts.length - 1));
  if (next === back) return;
  if (back < 0) draft = field.value;
  if (back < 0 && prompts[next] === draft && next + 1 < prompts.length) back = next + 1; // the field shows it already
  else back = next;
  field.value = back < 0 ? draft : prompts[back];
});

document.addEventListener("session:ended", () => put(UNSENT, document.getElementById("prompt")?.value ?? "", "sessionStorage"));

function restore() {
  const [field, unsent] = [document.getElementById("prompt"), get(UNSENT, "", "sessionStorage")];
  if (!field || !unsent) return;
  put(UNSENT, "", "sessionStorage");
  if (field.value) return;
  field.value = unsent;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function get(name, otherwise, storage = "localStorage") {
  try {
    return JSON.parse(window[storage].getItem(name)) ?? otherwise;
  } catch {
    return otherwise; // the browser stores nothing here, or the value is not ours
  }
}

function put(name, value, storage = "localStorage") {
  try {
    window[storage].setItem(name, JSON.stringify(value));
  } catch {
    // full, or not allowed: the value is not remembered
  }
}

// An address that fills in any field states all that is to be set.
if (composer() && !/[?&](model|prompt|p\.)/.test(decodeURIComponent(location.search))) fillIn();
restore();
