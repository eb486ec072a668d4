/**
 * Selects prints by their checkboxes, with Shift for the range from the last one, with Ctrl on the picture, and, in
 * Select mode or while any print is selected, by a click on any picture. The bar is plain HTML that CSS shows while
 * <html> has data-selecting. A tab keeps its selection when one leaves the page and comes back.
 */

import { say } from "./notice.js";
import { store, stored } from "./stored.js";
import { cards } from "./windowing.js";

const PRINTS = "#sheet, #batch-grid";
const SELECTION_KEY = "darkroom:selection";
const page = location.pathname; // in the lightbox, the address is that of the print
const bar = document.getElementById("selection");
const awaited = new Set(); // ids that were selected before the page was loaded, whose cards are not on it yet
let last = null; // id of the checkbox used last
let began = false;
let searched = null; // the search of the sheet: another search is another selection

const boxes = () => [...cards()].map((card) => card.querySelector(".card-select")).filter(Boolean);
const selected = () => boxes().filter((box) => box.checked);
const comparable = (count) => count >= 2 && count <= 4 && !(all().checked && document.getElementById("older-link"));

/**
 * Show the count, and request once, when a selection begins, how many prints the search finds.
 * anew: whether more may be selected than before.
 */
function tell(anew = true) {
  const q = bar.elements.namedItem("q").value;
  if (q !== searched) {
    if (searched !== null && (all().checked || selected().length)) {
      searched = q;
      bar.reset();
      return;
    }
    searched = q;
    began = false;
  }
  if (all().checked || awaited.size) tick();
  document.getElementById("selection-view").hidden = false;
  const count = anew || began ? selected().length + awaited.size : 0;
  const figures = count < 1000 ? count : count.toLocaleString("en"); // the first number takes a phone long to format
  document.getElementById("selection-count").textContent = all().checked ? "All selected" : `${figures} selected`;
  const begins = count > 0 || all().checked || document.getElementById("selection-mode").checked;
  if (begins) document.documentElement.dataset.selecting = count;
  else delete document.documentElement.dataset.selecting;
  document.getElementById("compare")?.setAttribute("aria-disabled", String(!comparable(count)));
  if (begins && !began) begin();
  began = begins;
}

/** Have htmx request how many prints the search finds. A selection that is brought back begins before htmx does. */
function begin() {
  const ask = () => document.body.dispatchEvent(new Event("selection-begun"));
  if (document.readyState === "complete") ask();
  else addEventListener("load", ask, { once: true });
}

/** Tick the boxes of all cards if all are selected, else of those that were awaited. */
function tick() {
  for (const box of boxes()) if (awaited.delete(box.value) || all().checked) box.checked = true;
}

function all() {
  return document.getElementById("selection-all");
}

function choose(box, checked, range) {
  const from = range ? boxes().findIndex((other) => other.id === last) : -1;
  const to = boxes().indexOf(box);
  const row = from < 0 ? [box] : boxes().slice(Math.min(from, to), Math.max(from, to) + 1);
  for (const each of row) each.checked = checked;
  if (!checked) all().checked = false;
  last = box.id;
  tell();
}

if (bar) {
  document.getElementById("selection-view").addEventListener("click", () => {
    for (const box of boxes()) box.checked = true;
    tell();
  });
  bar.addEventListener("reset", () => {
    clear();
    setTimeout(tell);
  });
  bar.addEventListener("formdata", ({ formData }) => {
    for (const box of selected()) if (!box.isConnected) formData.append(box.name, box.value);
    for (const id of awaited) formData.append("job", id);
    if (all().checked && formData.getAll("job").length > 4) formData.delete("job"); // the search says which
  });
  bar.addEventListener("click", (event) => {
    if (!event.target.closest("#compare[aria-disabled=true]")) return;
    event.preventDefault();
    say("Select two to four prints to compare.");
  });
  document.addEventListener("change", ({ target }) => {
    if (target.form !== bar) return;
    if (target === all() && !target.checked) clear();
    tell();
  });
  document.addEventListener("htmx:after:swap", () => tell(false));

  // Captured before other listeners: while prints are selected, a click does not open a picture.
  document.addEventListener(
    "click",
    (event) => {
      const card = event.target.closest?.("#main .card");
      const box = card?.querySelector(".card-select");
      if (!box) return;
      if (event.target === box) return choose(box, box.checked, event.shiftKey);
      // A click with Ctrl or Shift is the browser's, until something is selected.
      if (!began || !event.target.closest(".card-face") || event.detail === 0) return;
      event.preventDefault();
      event.stopPropagation();
      choose(box, event.shiftKey || !box.checked, event.shiftKey);
    },
    true,
  );

  // The tag button of a card selects its print alone and opens the tag field in the bar.
  document.addEventListener("click", (event) => {
    const card = event.target.closest?.('[data-action="tag"]')?.closest("#main .card");
    if (!card || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    bar.reset();
    choose(card.querySelector(".card-select"), true, false);
    document.getElementById("selection-tag").open = true;
    document.getElementById("selection-tag-name").focus();
  });

  // Enter in a field clicks the button behind it; Escape closes the fold around the field.
  bar.addEventListener("keydown", (event) => {
    const fold = event.target.closest("details.fold");
    if (event.key === "Enter" && event.target.matches(".fold-body input")) {
      event.preventDefault();
      fold.querySelector(".button-primary").click();
    } else if (event.key === "Escape" && fold?.open) {
      event.stopPropagation();
      fold.open = false;
      fold.querySelector("summary").focus();
    }
  });

  document.body.addEventListener("sheet-stale", refresh);
  // What has gone from this sheet is selected no more, though its cards have never been on the page.
  document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
    const { form, value } = ctx.sourceElement;
    const goes = form === bar && ["trash", "restore", "delete"].includes(value);
    if (goes && ctx.response.raw.ok && !ctx.text.includes("data-dismiss")) awaited.clear();
  });
  addEventListener("pagehide", leave);
  restore();
  tell(Boolean(awaited.size || document.querySelector(".card-select:checked"))); // a browser restores boxes, too
}

/** Untick every box, also those out of the document, which are not in the form. */
function clear() {
  for (const box of selected()) box.checked = false;
  awaited.clear();
}

function here() {
  return `${page} ${bar.elements.namedItem("q").value}`;
}

function leave() {
  if (!began) return store("sessionStorage", SELECTION_KEY, null);
  const ids = [...selected().map(({ value }) => value), ...awaited];
  const mode = document.getElementById("selection-mode").checked;
  store("sessionStorage", SELECTION_KEY, { here: here(), ids, all: all().checked, mode });
}

function restore() {
  const left = stored("sessionStorage", SELECTION_KEY);
  if (left?.here !== here()) return;
  all().checked = left.all;
  document.getElementById("selection-mode").checked = left.mode;
  for (const id of left.ids) awaited.add(id);
}

/** Load the whole sheet, or the grid of a batch, again: too much has changed for single updates. */
async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return location.reload();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const sheet = page.querySelector(PRINTS);
  if (!sheet) return location.reload();
  document.querySelector(PRINTS).replaceWith(document.adoptNode(sheet));
  window.htmx.process(sheet);
  bar.reset();
  document.dispatchEvent(new Event("sheet:replaced"));
}
