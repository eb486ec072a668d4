/**
 * Binds all keyboard shortcuts from one table, which the help also shows.
 *
 * A shortcut clicks what the page has for the mouse; without that element nothing happens. No shortcut works while a
 * dialog is open or text is typed, except those that belong to the field (`within`).
 */

import { meant } from "./cells.js";
import { keep, move } from "./keys/grid.js";
import { GENERATE } from "./keys/names.js";
import { notificationSwitch } from "./keys/notify.js";

const STARS = ["1", "2", "3", "4", "5"];

/**
 * keys: the names that `named` returns. shown: how the help writes them. act: returns whether it did something. within:
 * a selector of where the focus must be. needs: what the viewer must be allowed to do, as in data-needs (css/base.css).
 */
const TABLE = [
  { group: "Prints", keys: ["ArrowLeft"], shown: ["←", "→"], words: "Previous or next print, also in the lightbox", act: () => turn("prev") || move("left") },
  { group: "Prints", keys: ["ArrowRight"], act: () => turn("next") || move("right") },
  { group: "Prints", keys: ["ArrowUp"], shown: ["↑", "↓"], words: "Row above or below", act: () => move("up") },
  { group: "Prints", keys: ["ArrowDown"], act: () => move("down") },
  { group: "Prints", keys: ["Home"], shown: ["Home", "End"], words: "First or last print", act: () => move("first") },
  { group: "Prints", keys: ["End"], act: () => move("last") },
  { group: "Prints", keys: ["Enter"], shown: ["Enter"], words: "Open", act: () => false }, // the browser's own: it is a link
  { group: "Prints", keys: ["Escape"], shown: ["Esc"], words: "Close, or clear the selection", act: () => press(".pswp__button--close") || clear() },
  { group: "This print", keys: ["f"], shown: ["F"], words: "Toggle favorite", needs: "tidy", act: () => act("favorite") },
  { group: "This print", keys: STARS, shown: ["1–5", "0"], words: "Rate, or remove the rating", needs: "tidy", act: (key) => act("rate", key) },
  { group: "This print", keys: ["0"], needs: "tidy", act: () => act("rate", "0") },
  { group: "This print", keys: ["t"], shown: ["T"], words: "Tag", needs: "tidy", act: tag },
  { group: "This print", keys: ["x"], shown: ["X"], words: "Select or deselect", act: () => press(".card-select", subject()) },
  { group: "This print", keys: ["u"], shown: ["U"], words: "Use for another print", needs: "submit", act: () => !viewer() && press(".card-uses", subject()) },
  { group: "This print", keys: ["Delete"], shown: ["Del"], words: "Move to the trash", needs: "tidy", act: () => act("trash") },
  { group: "This print", keys: ["i"], shown: ["I"], words: "In the lightbox: open or close the panel", act: () => press(".pswp__button--about") },
  { group: "This print", keys: ["z"], shown: ["Z"], words: "In the lightbox: zoom", act: () => press(".pswp__button--zoom") },
  { group: "This print", keys: ["+"], shown: ["+", "−"], words: "In the lightbox: zoom in or out, up to 8 times", act: () => zoom(1) },
  { group: "This print", keys: ["-"], act: () => zoom(-1) },
  { group: "Prompt", keys: ["n"], shown: ["N"], words: "Write a new prompt", needs: "submit", act: () => reach("#prompt") },
  { group: "Prompt", keys: ["Control+Enter", "Meta+Enter"], shown: [GENERATE], words: "Generate", within: ".composer", needs: "submit", act: () => press("#generate") },
  { group: "Prompt", keys: [], shown: ["↑"], words: "In the first line: last prompts", needs: "submit" }, // js/prompts.js
  { group: "Page", keys: ["p"], shown: ["P"], words: "Play or pause the sound", act: listen },
  { group: "Page", keys: ["/"], shown: ["/"], words: "Search", act: () => reach("input[type='search'], input[name='q']:not([type='hidden'])") },
  { group: "Page", keys: ["c"], shown: ["C"], words: "Compare two to four selected prints", act: compare },
  { group: "Page", keys: ["?"], shown: ["?"], words: "Show these shortcuts", act: help },
];
const OFFERED = TABLE.filter(({ needs }) => !needs || document.body.dataset.may.split(" ").includes(needs));

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
  const key = named(event);
  const isOurs = (within) => (within ? event.target.closest?.(within) : !isForOthers(event));
  if (OFFERED.some(({ keys, within, act }) => keys.includes(key) && isOurs(within) && act(key))) event.preventDefault();
});

document.getElementById("keys-button")?.addEventListener("click", help);
keep();

/**
 * Return the name of a key with its modifiers, such as Control+Enter. A letter is in lower case. What Shift makes of
 * another character is named by itself.
 */
function named({ key, ctrlKey, altKey, metaKey, shiftKey }) {
  const writes = key.length === 1;
  const name = writes && !shiftKey ? key.toLowerCase() : key;
  return [ctrlKey && "Control", altKey && "Alt", metaKey && "Meta", shiftKey && !writes && "Shift", name].filter(Boolean).join("+");
}

function isForOthers({ target, key }) {
  if (key === "Escape" && target.closest?.("details, [popover]")) return true; // it closes a menu
  if (target.closest?.("video, audio")) return key === " " || key.length > 1; // they seek and change the volume
  const field = "input:not([type='checkbox'], [type='button'], [type='submit']), textarea, select, [contenteditable], dialog";
  return Boolean(target.closest?.(field));
}

/** Open the help, which is imported on first use. */
function help() {
  import("./keys/help.js").then(({ open }) => open(OFFERED, notificationSwitch)).catch(() => undefined);
  return true;
}

/** Return the print that a key acts on: the one in the lightbox, the one with the focus, or the one of this page. */
function subject() {
  const { job } = viewer()?.dataset ?? {};
  if (job) return document.getElementById(`job-${job}`);
  meant(document.activeElement?.closest(".card-cell")); // the mouse may rest on another one
  return document.activeElement?.closest(".card, .print") ?? document.querySelector(".job-page")?.closest("main") ?? null;
}

function viewer() {
  return document.querySelector(".pswp[data-job]");
}

/** Turn to the neighboring print, in the lightbox or on a job's page. True in the lightbox: nothing else may move. */
function turn(way) {
  if (viewer()) return press(`.pswp__button--arrow--${way}`) || true;
  return press(`.neighbors a[rel='${way}']`);
}

function act(action, value) {
  const places = subject()?.querySelectorAll(`[data-action="${action}"]`) ?? [];
  if (places.length > 1) return false; // a page with several results, none of which has the focus
  const button = places[0]?.querySelector(value ? `button[value="${action}:${value}"]` : "button");
  button?.click();
  return Boolean(button);
}

/** Click an element if it exists and is enabled. Returns whether it was clicked. */
function press(selector, within = document) {
  const element = within?.querySelector(selector);
  if (!element || element.disabled) return false;
  element.click();
  return true;
}

/** Play or pause: the sound in the lightbox, the one with the focus, or the one in the player. */
function listen() {
  if (viewer()) return press(".pswp__item:not([inert]) .sound-play") || press("#player:not([hidden]) .sound-play");
  return press(".sound-play", subject()) || press("#player:not([hidden]) .sound-play");
}

/** Zoom the lightbox by so many steps. */
function zoom(detail) {
  return Boolean(viewer()) && document.dispatchEvent(new CustomEvent("lightbox:zoom", { detail }));
}

/** Go to the tag field of the print, or click its link. */
function tag() {
  if (viewer()) return document.dispatchEvent(new Event("lightbox:tag"));
  const place = subject()?.querySelector("[data-action='tag']");
  const field = place?.querySelector("input:not([type='hidden'])");
  const button = place?.querySelector("button, a");
  if (!field && !button) return false;
  if (field) write(field);
  else button.click();
  return true;
}

function reach(selector) {
  const field = viewer() ? null : document.querySelector(selector);
  return Boolean(field) && write(field);
}

function write(field) {
  for (let fold = field.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  field.focus();
  field.scrollIntoView({ block: "nearest" });
  return true;
}

function compare() {
  return "selecting" in document.documentElement.dataset && press("#compare");
}

function clear() {
  return "selecting" in document.documentElement.dataset && press("#selection-clear");
}
