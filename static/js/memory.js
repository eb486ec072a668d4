/**
 * What the composer remembers, in this browser alone: the last prompts (see js/keys.js), the models used last, and the
 * settings that each was used with. Settings come back when a model is chosen, never over what is there already.
 */

const PROMPTS = "darkroom:prompts";
const MODELS = "darkroom:models";
const SETTINGS = "darkroom:settings:";
const MOST_PROMPTS = 50;
const MOST_MODELS = 5;

let back = -1; // how far back in the prompts one is; -1 is what was being written
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

/** Files go after a while, and a seed is for the one picture. */
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
  if (back < 0 && prompts[next] === draft && next + 1 < prompts.length) back = next + 1; // it stands there already
  else back = next;
  field.value = back < 0 ? draft : prompts[back];
});

function get(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise; // the browser keeps nothing here, or something else wrote it
  }
}

function put(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // full, or not allowed: then it is forgotten
  }
}

// An address that fills in anything says all that is to be set.
if (composer() && !/[?&](model|prompt|p\.)/.test(decodeURIComponent(location.search))) fillIn();
