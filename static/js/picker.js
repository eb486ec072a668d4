/**
 * Makes the list of models a combobox (WAI-ARIA Authoring Practices, editable with list autocomplete): typing filters,
 * and the models used last come first. The list itself stays, holds the value and requests the controls.
 */

import { recentModels } from "./memory.js";

let options = [];
let active = -1;

const list = () => document.getElementById("model-list");
const select = () => document.getElementById("model");
const search = () => document.getElementById("model-search");
const isOpen = () => search()?.getAttribute("aria-expanded") === "true";

function ready() {
  if (!search()) return;
  document.documentElement.dataset.picker = "";
  document.getElementById("model-label").htmlFor = "model-search";
  for (const name of ["aria-invalid", "aria-describedby"]) {
    if (select().hasAttribute(name)) search().setAttribute(name, select().getAttribute(name));
  }
  if (!isOpen()) close();
}

function open(filter = "") {
  draw(filter.toLowerCase().split(/\s+/).filter(Boolean), filter.trim());
  list().hidden = false;
  search().setAttribute("aria-expanded", "true");
  mark(filter ? Math.max(0, options.findIndex((option) => isNamed(option, filter))) : options.findIndex(isChosen));
}

const isChosen = ({ dataset }) => dataset.value === select().value;
const isNamed = ({ firstChild }, filter) => firstChild.textContent.toLowerCase().includes(filter.trim().toLowerCase());

function close() {
  list().hidden = true;
  list().replaceChildren();
  search().setAttribute("aria-expanded", "false");
  search().removeAttribute("aria-activedescendant");
  search().value = select().selectedOptions[0]?.label ?? "";
}

function draw(words, typed) {
  const fits = ({ label, value, title }) =>
    words.every((word) => `${label} ${value} ${title}`.toLowerCase().includes(word));
  const all = [...select().options].filter(({ value }) => value);
  const recent = words.length ? [] : recentModels().flatMap((name) => all.filter(({ value }) => value === name));
  const groups = [...select().querySelectorAll("optgroup")].map((group) => [group.label, [...group.children].filter(fits)]);
  options = [];
  list().replaceChildren(
    ...[["Recent", recent], ...groups].filter(([, some]) => some.length).map(([title, some]) => groupOf(title, some)),
    another(typed),
  );
}

function groupOf(title, some) {
  const group = document.createElement("div");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", title);
  const heading = document.createElement("p");
  heading.textContent = title;
  heading.setAttribute("aria-hidden", "true");
  group.append(heading, ...some.map(({ value, label, title: about }) => optionOf(value, label, about || value)));
  return group;
}

/** Return the option for a model that is not on the list: by the typed name, or by the field for it. */
function another(typed) {
  const named = /^[\w.-]+\/[\w.-]+(:[0-9a-f]{64})?$/.test(typed) && ![...select().options].some(({ value }) => value === typed);
  const option = optionOf("", named ? `Use ${typed}` : select().options[select().options.length - 1].label, "By its name on Replicate");
  if (named) option.dataset.name = typed;
  return option;
}

function optionOf(value, label, about) {
  const option = document.createElement("div");
  option.setAttribute("role", "option");
  option.id = `model-option-${options.length}`;
  option.dataset.value = value;
  const name = document.createElement("strong");
  name.textContent = label;
  const note = document.createElement("span");
  note.textContent = about;
  option.append(name, note);
  option.setAttribute("aria-selected", String(isChosen(option)));
  options.push(option);
  return option;
}

function mark(index) {
  options[active]?.classList.remove("is-active");
  active = Math.max(-1, Math.min(index, options.length - 1));
  const option = options[active];
  option?.classList.add("is-active");
  option?.scrollIntoView({ block: "nearest" });
  if (option) search().setAttribute("aria-activedescendant", option.id);
  else search().removeAttribute("aria-activedescendant");
}

function choose(option) {
  const { value, name } = option.dataset;
  const changed = select().value !== value || name;
  select().value = value;
  close();
  if (!changed) return;
  const other = document.getElementById("other_model");
  if (name) other.value = name;
  (name ? other : select()).dispatchEvent(new Event("change", { bubbles: true }));
  if (!value && !name) other.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.target !== search() || event.isComposing || event.ctrlKey || event.metaKey) return;
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 5, PageUp: -5 };
  if (event.key in moves) {
    event.preventDefault();
    if (!isOpen()) open();
    else if (event.altKey && event.key === "ArrowUp") close();
    else if (!event.altKey) mark(turned(active + moves[event.key], Math.abs(moves[event.key]) > 1));
  } else if (event.key === "Enter") {
    event.preventDefault(); // otherwise it would send the prompt
    if (isOpen() && options[active]) choose(options[active]);
    else if (!isOpen()) open();
  } else if (event.key === "Escape" && isOpen()) {
    event.preventDefault();
    event.stopPropagation();
    close();
    search().select();
  }
});

function turned(index, stops) {
  if (stops) return Math.max(0, Math.min(index, options.length - 1));
  return (index + options.length) % options.length;
}

document.addEventListener("input", ({ target }) => target === search() && open(target.value));
document.addEventListener("focusin", ({ target }) => target === search() && target.select());
document.addEventListener("focusout", ({ target }) => target === search() && close());
document.addEventListener("mousedown", (event) => {
  if (list()?.contains(event.target)) event.preventDefault(); // the focus stays in the search field
});
document.addEventListener("click", ({ target }) => {
  if (target === search()) return isOpen() || open();
  const option = list()?.contains(target) && target.closest("[role=option]");
  if (option) choose(option);
});

document.addEventListener("htmx:after:swap", ready);
ready();
