/**
 * Keeps the headings of days true while cards come and go: a card after its day's heading, one heading a day, none
 * without cards, and the number of prints in step. Tells the server the time zone, in which its days begin.
 *
 * A job's id begins with the milliseconds since 1970 (UUID version 7), so each card knows its day.
 */

import { cards, headings } from "./windowing.js";

const ZONE = "darkroom-zone";
const YEAR = 31_536_000; // seconds

/** Insert a card before another of the sheet, or at its end (null), below the heading of its day. */
export function insertCard(card, next, sheet) {
  const day = dayOf(card);
  const heading = headingOf(day);
  if (next && dayOf(next) === day) next.before(card);
  else if (heading) sheet.insertBefore(card, next && startOf(next));
  else begin(day, card, next, sheet);
  if (heading) count(heading, 1);
}

/** Take a card that is removed off the number of its day. Removes the heading of a day whose last card it was. */
export function discount(card) {
  const day = dayOf(card);
  const heading = headingOf(day);
  if (!heading) return;
  count(heading, -1);
  for (const other of cards()) if (other !== card && dayOf(other) === day) return;
  heading.remove();
}

function headingOf(day) {
  return [...headings()].find(({ id }) => id === `day-${day}`);
}

/** Return the first element of the day that a card begins. */
function startOf(card) {
  const heading = card.previousElementSibling;
  return heading?.matches(".sheet-day") ? heading : card;
}

function begin(day, card, next, sheet) {
  const heading = Object.assign(document.createElement("h3"), { className: "sheet-day", id: `day-${day}` });
  const number = Object.assign(document.createElement("span"), { className: "sheet-day-count", textContent: "1" });
  heading.append(words(card), number);
  number.append(Object.assign(document.createElement("span"), { className: "visually-hidden", textContent: " print" }));
  const place = next && startOf(next);
  for (const element of [heading, card]) sheet.insertBefore(element, place);
}

function count(heading, more) {
  const { firstChild: number, lastChild: noun } = heading.querySelector(".sheet-day-count");
  const shown = Number(number.data.replaceAll(",", "")) + more;
  if (Number.isNaN(shown)) return; // there are too many to count
  number.data = shown.toLocaleString("en");
  noun.textContent = shown === 1 ? " print" : " prints";
}

function momentOf({ id }) {
  return new Date(parseInt(id.slice("job-".length).replace("-", "").slice(0, 12), 16));
}

/** Return the day of a card here, such as 2026-11-30. */
export function dayOf(card) {
  const moment = momentOf(card);
  const parts = [moment.getFullYear(), moment.getMonth() + 1, moment.getDate()];
  return parts.map((part) => String(part).padStart(2, "0")).join("-");
}

/** Return the day in words, as the server writes it. */
function words(card) {
  const [weekday, month, day, year] = momentOf(card).toDateString().split(" ");
  return `${weekday} ${Number(day)} ${month} ${year}`;
}

/** Tell the zone. A sheet that was made in another one is requested again, once. */
function tellZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const sheet = document.getElementById("sheet");
  if (!sheet?.dataset.zone || !zone || document.cookie.split("; ").includes(`${ZONE}=${zone}`)) return;
  document.cookie = `${ZONE}=${zone}; path=/; max-age=${YEAR}; samesite=lax`;
  if (sheet.dataset.zone === zone) return;
  window.htmx.ajax("GET", location.pathname + location.search, { source: document.getElementById("search-bar"), swap: "none" });
}

addEventListener("load", tellZone);
