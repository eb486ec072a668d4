/**
 * Suggests, below the search box, what the word before the cursor may mean. The focus stays in the box, which is a
 * combobox (WAI-ARIA Authoring Practices, list autocomplete). No option is marked before an arrow is pressed, so Enter
 * searches for what is typed.
 */

const PAUSE = 120; // milliseconds without a keystroke before suggestions are requested
let options = [];
let active = -1;
let timer = 0;
let asked = new AbortController();

const field = () => document.getElementById("search-bar-q");
const list = () => document.getElementById("suggestions");
const isOpen = () => list()?.hidden === false;
const before = () => field().value.slice(0, field().selectionStart);

async function ask() {
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  try {
    const answer = await fetch(`/searches/suggestions?${new URLSearchParams({ q: before() })}`, { signal });
    if (answer.ok) open(await answer.text());
  } catch {
    if (!signal.aborted) close(); // no server: one can write without suggestions
  }
}

function open(html) {
  if (document.activeElement !== field()) return;
  list().innerHTML = html;
  options = [...list().querySelectorAll("[role=option]")];
  list().hidden = !options.length;
  mark(-1);
}

function close() {
  clearTimeout(timer);
  asked.abort();
  if (!isOpen()) return;
  list().hidden = true;
  mark(-1);
}

/** Mark an option; -1 for none. */
function mark(index) {
  options[active]?.setAttribute("aria-selected", "false");
  active = index;
  options[active]?.setAttribute("aria-selected", "true");
  options[active]?.scrollIntoView({ block: "nearest" });
  tell();
}

/** Tell assistive technology what is open and marked. An answer of the search resets these attributes. */
function tell() {
  field().setAttribute("aria-expanded", String(isOpen()));
  if (options[active]) field().setAttribute("aria-activedescendant", options[active].id);
  else field().removeAttribute("aria-activedescendant");
}

/** Type what is suggested, so that the browser's undo takes it back. A saved search replaces all that is there. */
function choose({ dataset }) {
  close();
  const { text, sort } = dataset;
  field().focus();
  field().setSelectionRange(0, sort ? field().value.length : field().selectionStart);
  if (sort) document.getElementById("search-bar-sort").value = sort;
  document.execCommand("insertText", false, text);
}

document.addEventListener("input", ({ target }) => {
  if (target !== field()) return;
  close();
  timer = setTimeout(ask, PAUSE);
});

document.addEventListener("keydown", (event) => {
  if (event.target !== field() || event.isComposing) return;
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const moves = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in moves && isOpen()) mark(turned(active + moves[event.key]));
  else if (event.key === "ArrowDown") ask();
  else if (["Enter", "Tab"].includes(event.key) && isOpen() && options[active]) choose(options[active]);
  else if (event.key === "Escape" && isOpen()) close();
  else return event.key === "Enter" ? close() : undefined;
  event.preventDefault();
});

/** Return the option to mark: past both ends lies what was typed, with none marked. */
function turned(index) {
  if (index < -1) return options.length - 1;
  return index < options.length ? index : -1;
}

document.addEventListener("focusout", ({ target }) => target === field() && close());
document.addEventListener("mousedown", (event) => {
  if (list()?.contains(event.target)) event.preventDefault(); // the focus stays in the box
});
document.addEventListener("click", ({ target }) => {
  const option = list()?.contains(target) && target.closest("[role=option]");
  if (option) choose(option);
});
document.addEventListener("htmx:after:swap", () => isOpen() && tell());
