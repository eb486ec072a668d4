/**
 * Inserts cards that are new to this page into the sheet, all together in the next frame.
 *
 * A card whose place is above the viewport or out of the document waits until the user scrolls there, so that nothing
 * in view moves. A button says how many wait above all others, and leads there. Ids are UUIDs of version 7, so the
 * order of ids is the order of time.
 */

import { insertCard } from "./days.js";
import { isFolded } from "./queue.js";
import { bring, cards, emptied } from "./windowing.js";

const waiting = new Map(); // id -> card
let scheduled = false;
let asked = false; // whether the user asked for what is new

/** Return whether a card waits to be inserted. */
export function isWaiting(id) {
  return waiting.has(id);
}

/** Queue a new card, or a newer state of a waiting one, for insertion. */
export function arrive(card) {
  waiting.set(card.id, card);
  schedule();
}

/** Forget a waiting card. Without an id, forget all of them, as another sheet arrives. */
export function leave(id) {
  const before = waiting.size;
  if (id) waiting.delete(id);
  else waiting.clear();
  if (waiting.size < before) tell();
}

document.addEventListener("click", ({ target }) => {
  if (!target.closest?.("#new-pill")) return;
  const [first] = cards();
  bring(first);
  scrollTo(0, 0);
  asked = true;
  schedule();
});

addEventListener("scroll", () => waiting.size && schedule(), { passive: true });

function schedule() {
  if (!scheduled) requestAnimationFrame(place);
  scheduled = true;
}

function place() {
  scheduled = false;
  const sheet = document.querySelector("#sheet[data-sort='newest']");
  if (!sheet) return leave();
  for (const card of [...waiting.values()].filter(isFolded)) waiting.delete(card.id);
  const newest = [...waiting.values()].sort((one, other) => (one.id < other.id ? 1 : -1));
  const shown = [...cards()];
  const places = newest.map((card) => [card, placeOf(card, shown, sheet)]); // all are found before anything moves
  for (const [card, next] of places) {
    if (next === undefined) continue;
    waiting.delete(card.id);
    if (next === false) continue;
    insertCard(card, next, sheet);
  }
  if (asked) sheet.querySelector(".card a[id$='-link']")?.focus({ preventScroll: true });
  asked = false;
  tell();
}

/** Say how many cards wait whose places are before the first one of the sheet. */
function tell() {
  const pill = document.getElementById("new-pill");
  if (!pill) return;
  const [first] = cards();
  const count = [...waiting.keys()].filter((id) => id > first?.id).length;
  pill.textContent = `${count.toLocaleString("en")} new`;
  pill.hidden = !count;
}

/** Return the card to insert it before: null for the end, false when it has no place here, undefined when it waits. */
function placeOf(card, shown, sheet) {
  if (document.getElementById(card.id) || emptied(card.id)) return false;
  const next = shown.find(({ id }) => id < card.id);
  if (next === shown[0] && sheet.querySelector("#newer")) return false; // it belongs on a page above
  if (next) return next.isConnected && next.getBoundingClientRect().top >= 0 ? next : undefined;
  return sheet.querySelector("#older") ? false : null; // it may belong on a page that is not loaded yet
}
