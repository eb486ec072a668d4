/**
 * Makes the sheet a single tab stop: arrow keys move between its cards, and Tab moves through the controls of the
 * focused card, then out of the sheet. The focus is not lost when the focused card changes or is removed.
 */

import { bring, cards, fill } from "../windowing.js";

const OFFERED = "a[href], button, input, select, textarea, summary";

let current = null; // the card that Tab reaches
let held = null; // the element on the sheet that has the focus
let column = null; // where moving up and down started, in pixels from the left

/** Move the focus: left, right, up, down, first, last. Returns whether that is possible from where it is. */
export function move(way) {
  const sheet = document.getElementById("sheet");
  const card = document.activeElement?.closest("#sheet .card");
  if (document.querySelector(".pswp[data-job]") || !sheet) return false;
  if (!card) return document.activeElement === document.body && ["left", "right"].includes(way) && focus(inView(sheet));
  if (way === "up" || way === "down") return focus(nextRow(card, way === "down"));
  column = null;
  if (way === "left" || way === "right") {
    const cell = document.activeElement.closest(".card-cell");
    const other = way === "left" ? cell?.previousElementSibling : cell?.nextElementSibling;
    if (other) return focusOn(other);
  }
  if (way === "left") return focus(beside(card, false));
  if (way === "right") return focus(beside(card, true));
  const all = [...cards()];
  const end = all.at(way === "first" ? 0 : -1);
  bring(end);
  return focus(end);
}

/** Manage the focus on the sheet of this page, also after another sheet replaces it. */
export function keep() {
  if (!document.getElementById("sheet")) return;
  const page = document.getElementById("main");
  new MutationObserver(follow).observe(page, { childList: true, subtree: true, attributeFilter: ["tabindex"] });
  page.addEventListener("focusin", ({ target }) => {
    const card = target.closest("#sheet .card");
    held = card && target;
    if (!card || card === current) return;
    const before = current;
    current = card;
    if (before) rove(before);
    rove(card);
  });
  page.addEventListener("focusout", ({ target }) => {
    setTimeout(() => held === target && target.isConnected && (held = null)); // what is taken away stays held: `follow`
  });
  page.addEventListener("pointerdown", () => (column = null));
  settle();
}

function focus(card) {
  return focusOn(card?.querySelector("a[id$='-link']"));
}

function focusOn(link) {
  link?.focus({ preventScroll: true });
  link?.closest(".card").scrollIntoView({ block: "nearest" });
  return Boolean(link);
}

function beside(card, after) {
  const next = (from) => (after ? from.nextElementSibling : from.previousElementSibling);
  let from = card;
  for (let other = next(from); other; other = next(from)) {
    if (other.matches(".card")) return other;
    if (!fill(other)) from = other;
  }
  return null;
}

/** Return the card in the next row that is nearest to the column: cards do not line up, as pictures differ in width. */
function nextRow(card, down) {
  const { top } = card.getBoundingClientRect();
  column ??= middle(card);
  let row = null;
  let nearest = null;
  for (let other = beside(card, down); other; other = beside(other, down)) {
    const edge = other.getBoundingClientRect().top;
    if (Math.abs(edge - top) < 1) continue;
    row ??= edge;
    if (Math.abs(edge - row) >= 1) break;
    if (!nearest || away(other) < away(nearest)) nearest = other;
  }
  return nearest;
}

/** Return the distance of a card from the column: 0 when the card covers the column. */
function away(card) {
  const { left, right } = card.getBoundingClientRect();
  return Math.max(left - column, column - right, 0);
}

function middle(card) {
  const { left, right } = card.getBoundingClientRect();
  return (left + right) / 2;
}

function inView(sheet) {
  const shown = [...sheet.querySelectorAll(":scope > .card")];
  return shown.find((card) => card.getBoundingClientRect().top >= 0) ?? shown[0];
}

function follow(changes) {
  const changed = new Set();
  for (const { target, addedNodes } of changes) {
    for (const node of [target, ...addedNodes]) {
      const card = node.nodeType === Node.ELEMENT_NODE && node.closest("#sheet .card");
      if (card) changed.add(card);
    }
  }
  if (held && !held.isConnected) catchFocus(changes);
  if (!current?.isConnected) settle();
  else for (const card of changed) rove(card);
}

/** Move the focus from a removed element to its card, or else to the card after it or before it. */
function catchFocus(changes) {
  const lost = held;
  held = null;
  if (document.activeElement !== document.body) return;
  const card = document.getElementById(current?.id ?? "");
  if (card) return focus(card);
  const gone = changes.find(({ removedNodes }) => [...removedNodes].some((node) => node === current || node.contains(lost)));
  const next = [gone?.nextSibling, gone?.previousSibling].map(cardFrom).find(Boolean);
  focus(next ?? document.querySelector("#sheet > .card"));
}

/** Return the card at or after a node, which may be the text between two cards. */
function cardFrom(node) {
  while (node && !node.matches?.(".card")) node = node.nextSibling;
  return node?.isConnected ? node : null;
}

/** Make the first card the one that Tab reaches, if the previous one is gone. */
function settle() {
  const shown = document.querySelectorAll("#sheet > .card");
  if (!current?.isConnected) current = shown[0] ?? null;
  for (const card of shown) rove(card);
}

/** Let Tab reach a card, or skip it. What Tab never reaches stays that way. */
function rove(card) {
  const passed = card !== current;
  for (const element of card.querySelectorAll(OFFERED)) {
    if (passed && element.getAttribute("tabindex") !== "-1") {
      element.tabIndex = -1;
      element.dataset.roved = "";
    } else if (!passed && "roved" in element.dataset) {
      element.removeAttribute("tabindex");
      delete element.dataset.roved;
    }
  }
}
