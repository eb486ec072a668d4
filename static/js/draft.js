/**
 * Keeps what is in the composer for this tab: it is there again after a reload, a visit elsewhere or signing in. An
 * address that fills in the composer wins, unless it is the one that was left. Nobody else sees it who signs in next.
 */

import { store, stored } from "./stored.js";

const DRAFT_KEY = "darkroom:draft";
let pending = null; // the fields of a draft whose model is being loaded

const composer = () => document.getElementById("composer");
const who = () => document.getElementById("account-button")?.title ?? "";

addEventListener("pagehide", () => {
  if (!composer()) return;
  const fields = [...new FormData(composer())].filter(([, value]) => typeof value === "string");
  store("sessionStorage", DRAFT_KEY, { who: who(), address: location.search, fields });
});

document.addEventListener("htmx:after:swap", ({ detail }) => {
  if (!pending || !["model", "other_model"].includes(detail.ctx?.sourceElement?.id)) return;
  fillIn(pending);
  pending = null;
});

// After htmx, which starts with this event.
document.addEventListener("DOMContentLoaded", () => {
  const { who: by, address, fields } = stored("sessionStorage", DRAFT_KEY) ?? {};
  const given = document.getElementById("composer-place")?.hasAttribute("data-given");
  if (!composer() || !fields || by !== who() || (given && address !== location.search)) return;
  const values = new Map(fields);
  const { model, other_model: other } = composer().elements;
  const changed = values.get("model") !== model.value || (!model.value && values.get("other_model") !== other.value);
  if (changed && choose(values, model, other)) pending = fields;
  fillIn(fields);
});

/** Choose the model of a draft, whose controls are then loaded. Returns false when it is not offered any more. */
function choose(values, model, other) {
  const before = model.value;
  model.value = values.get("model");
  if (model.selectedIndex < 0) {
    model.value = before;
    return false;
  }
  other.value = values.get("other_model");
  (model.value ? model : other).dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}

function fillIn(fields) {
  for (const control of composer().elements) {
    const values = fields.filter(([name]) => name === control.name).map(([, value]) => value);
    if (!control.name || ["hidden", "file", "submit"].includes(control.type)) continue;
    if (["checkbox", "radio"].includes(control.type)) control.checked = values.includes(control.value);
    else if (values.length && control.name !== "model") control.value = values[0];
  }
  document.getElementById("prompt").dispatchEvent(new Event("input", { bubbles: true }));
}
