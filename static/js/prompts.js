/**
 * Lists the last prompts above the prompt: by Up in its first line, as shells have it, or by the button. The focus stays
 * in the prompt; the list is a listbox that it controls (WAI-ARIA Authoring Practices).
 */

let options = [];
let active = -1;
let steps = 0; // how many prompts back the list opens, as Up may be pressed again while it loads

const field = () => document.getElementById("prompt");
const list = () => document.getElementById("prompts");
const isOpen = () => list()?.hidden === false;

function load() {
  if (steps++ === 0) window.htmx.trigger(list(), "prompts:wanted");
}

function open() {
  options = [...list().querySelectorAll("[role=option]")];
  if (steps && options.length && document.activeElement === field()) {
    list().hidden = false;
    mark(options.length - steps);
  }
  steps = 0;
}

function close() {
  steps = 0;
  if (!isOpen()) return;
  list().hidden = true;
  field().removeAttribute("aria-activedescendant");
}

/** Mark an option. After the last one the list closes: what was typed is newer than all. */
function mark(index) {
  if (index >= options.length) return close();
  options[active]?.setAttribute("aria-selected", "false");
  active = Math.max(0, index);
  options[active].setAttribute("aria-selected", "true");
  options[active].scrollIntoView({ block: "nearest" });
  field().setAttribute("aria-activedescendant", options[active].id);
}

/** Replace the prompt. It is typed, not set, so that the browser's undo brings back what was there. */
function choose({ dataset }) {
  close();
  field().focus();
  field().select();
  document.execCommand("insertText", false, dataset.prompt);
}

document.addEventListener("keydown", (event) => {
  if (event.target !== field()) return;
  if (event.key === "Tab") return close(); // before the focus moves, lest it goes to the list
  if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const moves = { ArrowUp: -1, ArrowDown: 1, PageUp: -5, PageDown: 5 };
  if (!isOpen()) {
    if (event.key === "ArrowDown" && steps) steps -= 1;
    else if (event.key === "ArrowUp" && (steps || isOnFirstLine())) load();
    else return;
  } else if (event.key in moves) mark(active + moves[event.key]);
  else if (event.key === "Enter") choose(options[active]);
  else if (event.key === "Escape") close();
  else return;
  event.preventDefault();
});

document.addEventListener("input", ({ target }) => target === field() && close());
document.addEventListener("focusout", ({ target, relatedTarget }) => {
  if (target === field() && relatedTarget !== list()) close();
});
document.addEventListener("focusin", ({ target }) => target === list() && field().focus());
document.addEventListener("mousedown", (event) => {
  if (list()?.contains(event.target)) event.preventDefault(); // the focus stays in the prompt
});
document.addEventListener("click", ({ target }) => {
  const option = list()?.contains(target) && target.closest("[role=option]");
  if (option) choose(option);
  else if (target.closest?.("#prompts-button")) {
    field().focus();
    load();
  }
});
document.addEventListener("htmx:after:swap", ({ detail }) => detail.ctx?.sourceElement === list() && open());
document.addEventListener("htmx:error", ({ detail }) => detail.ctx?.sourceElement === list() && close());

/** Return whether the cursor is in the first line as it is shown, from which Up leads nowhere else. */
function isOnFirstLine() {
  const { value, selectionStart, selectionEnd, clientWidth } = field();
  if (selectionStart !== selectionEnd) return false;
  if (selectionStart === 0) return true;
  if (value.slice(0, selectionStart).includes("\n")) return false;
  const { font, paddingLeft, paddingRight } = getComputedStyle(field());
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = font;
  const [word] = /^\S*/.exec(value.slice(selectionStart)); // a line breaks before a word that does not fit
  return pen.measureText(value.slice(0, selectionStart) + word).width < clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
}
