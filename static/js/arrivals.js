/**
 * Cards that are new to this page wait here for the next frame, and then go to their place on the sheet together. Where
 * that is above the view, or out of the document, they wait until one comes there: nothing that is looked at moves.
 *
 * Ids are UUIDs of version 7, so the order of the ids is the order of time.
 */

import { cards, emptied } from "./windowing.js";

const waiting = new Map(); // id -> card
let scheduled = false;

/** Whether a card waits for its place. */
export function isWaiting(id) {
  return waiting.has(id);
}

/** Has a new card, or a newer state of one that waits, put in its place. */
export function arrive(card) {
  waiting.set(card.id, card);
  schedule();
}

/** Forgets a card that waits; without an id, all of them: another sheet comes. */
export function leave(id) {
  if (id) waiting.delete(id);
  else waiting.clear();
}

addEventListener("scroll", () => waiting.size && schedule(), { passive: true });

function schedule() {
  if (!scheduled) requestAnimationFrame(place);
  scheduled = true;
}

function place() {
  scheduled = false;
  const sheet = document.querySelector("#sheet[data-first-page]");
  if (!sheet) return leave();
  const newest = [...waiting.values()].sort((one, other) => (one.id < other.id ? 1 : -1));
  const shown = [...cards()];
  const places = newest.map((card) => [card, placeOf(card, shown, sheet)]); // all are looked for before anything moves
  for (const [card, next] of places) {
    if (next === undefined) continue;
    waiting.delete(card.id);
    if (next === false) continue;
    sheet.insertBefore(card, next);
  }
}

/** What a card comes before: null for the end, false where it has no place here, undefined where it waits. */
function placeOf(card, shown, sheet) {
  if (document.getElementById(card.id) || emptied(card.id)) return false;
  const next = shown.find(({ id }) => id < card.id);
  if (next) return next.isConnected && next.getBoundingClientRect().top >= 0 ? next : undefined;
  return sheet.querySelector("#older") ? false : null; // it may belong on a page that was not loaded yet
}
