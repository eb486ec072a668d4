/**
 * Every key there is, in one table: it binds them, and the help is made from it.
 *
 * A key acts by pressing what is on the page for the mouse; where that is not there, nothing happens. None fires in a
 * dialog, nor while something is typed, but for those that belong to the field (`within`).
 */

import { keep, move } from "./keys/grid.js";
import { ALT, DEVELOP } from "./keys/names.js";
import "./keys/notify.js";

const STARS = ["1", "2", "3", "4", "5"];

/**
 * keys: as `named` names them. shown: how the help writes them. act: answers whether it did something. within: where one
 * has to be for it.
 */
const TABLE = [
  { group: "Prints", keys: ["ArrowLeft"], shown: ["←", "→"], words: "The one beside, also in the lightbox", act: () => turn("prev") || move("left") },
  { group: "Prints", keys: ["ArrowRight"], act: () => turn("next") || move("right") },
  { group: "Prints", keys: ["ArrowUp"], shown: ["↑", "↓"], words: "The row above or below", act: () => move("up") },
  { group: "Prints", keys: ["ArrowDown"], act: () => move("down") },
  { group: "Prints", keys: ["Home"], shown: ["Home", "End"], words: "The first or the last", act: () => move("first") },
  { group: "Prints", keys: ["End"], act: () => move("last") },
  { group: "Prints", keys: ["Enter"], shown: ["Enter"], words: "Open it", act: () => false }, // the browser's own: it is a link
  { group: "Prints", keys: ["Escape"], shown: ["Esc"], words: "Close it, or clear the selection", act: () => press(".pswp__button--close") || clear() },
  { group: "This print", keys: ["f"], shown: ["F"], words: "Favourite, or not", act: () => act("favourite") },
  { group: "This print", keys: STARS, shown: ["1–5", "0"], words: "Rate it; take the rating away", act: (key) => act("rate", key) },
  { group: "This print", keys: ["0"], act: () => act("rate", "0") },
  { group: "This print", keys: ["t"], shown: ["T"], words: "Tag it", act: tag },
  { group: "This print", keys: ["x"], shown: ["X"], words: "Select it, or not", act: () => press(".card-select", subject()) },
  { group: "This print", keys: ["u"], shown: ["U"], words: "Use it for another one", act: () => !viewer() && press(".card-uses", subject()) },
  { group: "This print", keys: ["Delete"], shown: ["Del"], words: "Put it in the trash", act: () => act("trash") },
  { group: "This print", keys: ["i"], shown: ["I"], words: "In the lightbox: its prompt and settings", act: () => press(".pswp__button--about") },
  { group: "This print", keys: ["z"], shown: ["Z"], words: "In the lightbox: zoom", act: () => press(".pswp__button--zoom") },
  { group: "Prompt", keys: ["n"], shown: ["N"], words: "Write a new one", act: () => reach("#prompt") },
  { group: "Prompt", keys: ["Control+Enter", "Meta+Enter"], shown: [DEVELOP], words: "Develop it", within: ".composer", act: () => press("#develop") },
  { group: "Prompt", keys: ["Alt+ArrowUp"], shown: [`${ALT} ↑`, `${ALT} ↓`], words: "One of the last, or back", within: "#prompt", act: () => recall(1) },
  { group: "Prompt", keys: ["Alt+ArrowDown"], within: "#prompt", act: () => recall(-1) },
  { group: "Page", keys: ["/"], shown: ["/"], words: "Search", act: () => reach("input[type='search'], input[name='q']:not([type='hidden'])") },
  { group: "Page", keys: ["c"], shown: ["C"], words: "Compare the two to four selected", act: compare },
  { group: "Page", keys: ["?"], shown: ["?"], words: "These keys", act: help },
];

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
  const key = named(event);
  const isOurs = (within) => (within ? event.target.closest?.(within) : !isForOthers(event));
  if (TABLE.some(({ keys, within, act }) => keys.includes(key) && isOurs(within) && act(key))) event.preventDefault();
});

document.getElementById("keys-button")?.addEventListener("click", help);
keep();

/** A key with what is held with it, as Control+Enter; a letter in lower case, and what Shift makes of another key itself. */
function named({ key, ctrlKey, altKey, metaKey, shiftKey }) {
  const writes = key.length === 1;
  const name = writes && !shiftKey ? key.toLowerCase() : key;
  return [ctrlKey && "Control", altKey && "Alt", metaKey && "Meta", shiftKey && !writes && "Shift", name].filter(Boolean).join("+");
}

function isForOthers({ target, key }) {
  if (key === "Escape" && target.closest?.("details, [popover]")) return true; // it is a menu that closes
  if (target.closest?.("video, audio")) return key === " " || key.length > 1; // they seek, and change their volume
  const field = "input:not([type='checkbox'], [type='button'], [type='submit']), textarea, select, [contenteditable], dialog";
  return Boolean(target.closest?.(field));
}

/** The help comes only when it is asked for. */
function help() {
  import("./keys/help.js").then(({ open }) => open(TABLE)).catch(() => undefined);
  return true;
}

/** What a key is about: the print in the lightbox, the one with the focus, or the one whose page this is. */
function subject() {
  const { job } = viewer()?.dataset ?? {};
  if (job) return document.getElementById(`job-${job}`);
  return document.activeElement?.closest(".card") ?? document.querySelector(".job-page")?.closest("main") ?? null;
}

function viewer() {
  return document.querySelector(".pswp[data-job]");
}

/** In the lightbox and on a job's page: to the one beside. In the lightbox there is no other way. */
function turn(way) {
  if (viewer()) return press(`.pswp__button--arrow--${way}`) || true;
  return press(`.beside a[rel='${way}']`);
}

function act(action, value) {
  const place = subject()?.querySelector(`[data-action="${action}"]`);
  const button = place?.querySelector(value ? `button[value="${value}"]` : "button");
  button?.click();
  return Boolean(button);
}

/** A click, where it may be clicked. */
function press(selector, within = document) {
  const element = within?.querySelector(selector);
  if (!element || element.disabled) return false;
  element.click();
  return true;
}

/** By its field where there is one, else by its link. Over the lightbox nothing can be written: it closes first. */
function tag() {
  const place = subject()?.querySelector("[data-action='tag']");
  const field = place?.querySelector("input:not([type='hidden'])");
  const button = place?.querySelector("button, a");
  if (!field && !button) return false;
  const begin = () => (field ? write(field) : button.click());
  if (!viewer()) begin();
  else {
    document.addEventListener("lightbox:closed", begin, { once: true });
    press(".pswp__button--close");
  }
  return true;
}

function reach(selector) {
  const field = viewer() ? null : document.querySelector(selector);
  return Boolean(field) && write(field);
}

/** Further back in the prompts that js/memory.js knows, or forth. */
function recall(steps) {
  document.dispatchEvent(new CustomEvent("prompt:recall", { detail: steps }));
  return true;
}

function write(field) {
  for (let fold = field.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  field.focus();
  field.scrollIntoView({ block: "nearest" });
  return true;
}

function compare() {
  const selected = Number(document.documentElement.dataset.selecting);
  return selected >= 2 && selected <= 4 && press("#compare");
}

function clear() {
  return "selecting" in document.documentElement.dataset && press("#selection-clear");
}
