/**
 * Applies live events to their cards, including cards that are out of the document or new to this page.
 *
 * It also reports when the number of results may have changed, and reopens the stream when its first connection fails.
 *
 * A live event carries a whole card and the id of the card that it replaces. If there is none, htmx leaves the task
 * without a target. A card that the page's search does not find has `placed:false` and is not inserted.
 */

import { arrive, isWaiting, leave } from "./arrivals.js";
import { discount } from "./days.js";
import "./frames.js";
import { emptied } from "./windowing.js";

const DELETED = /hx-target="#(job-[^"]+)" hx-swap="delete"/g; // htmx does not report what it did not find
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30000;
let wait = FIRST_WAIT;
let connection = null; // of hx-sse

document.addEventListener("htmx:before:swap", ({ detail }) => {
  const { ctx, tasks } = detail;
  if (tasks.some(({ target }) => ["sheet", "prints"].includes(target?.id))) leave();
  for (const [, id] of ctx.text?.matchAll(DELETED) ?? []) {
    const kept = emptied(id);
    const card = document.getElementById(id) ?? kept;
    if (card) discount(card);
    kept?.remove();
    leave(id);
  }
  const lost = tasks.filter((task) => task.type === "partial" && !task.target);
  for (const task of lost) task.target = emptied(task.fragment.firstElementChild?.id);
  if (tasks.some(movesTheCount)) document.body.dispatchEvent(new Event("sheet-moved"));
  for (const task of lost.filter(({ target }) => !target)) {
    tasks.splice(tasks.indexOf(task), 1);
    const card = task.fragment.firstElementChild;
    if (card?.matches(".card") && (task.swapSpec.placed !== false || isWaiting(card.id))) arrive(card);
  }
  for (const task of tasks.filter(isInAnotherState)) task.swapSpec.style = "outerSync";
});

/**
 * Return whether a card changes its state and is neither focused nor selected: it is then replaced. Little of such a
 * card stays, and a morph takes longer to find that out.
 */
function isInAnotherState({ target, fragment, swapSpec }) {
  const card = fragment?.firstElementChild;
  if (swapSpec?.style !== "outerMorph" || !target?.matches(".card") || !card?.matches(".card")) return false;
  const isHeld = target.contains(document.activeElement) || target.querySelector(".card-select:checked");
  return card.dataset.status !== target.dataset.status && !isHeld;
}

/**
 * Return whether the number of results may have changed: a card is deleted, found but not here, or here but not found,
 * or the whole sheet is replaced.
 */
function movesTheCount({ target, fragment, swapSpec }) {
  if (target?.id === "sheet" || swapSpec?.style === "delete") return true;
  const card = fragment?.firstElementChild;
  const found = swapSpec?.placed !== false;
  return Boolean(card?.matches(".card")) && found !== Boolean(target || isWaiting(card.id));
}

document.addEventListener("htmx:sse:before:connection", ({ detail }) => (connection = detail.connection));
document.addEventListener("htmx:sse:after:connection", () => {
  wait = FIRST_WAIT;
});

// Firefox logs an error for a stream that is open when one leaves. A page that stays, as for a download, or comes back
// connects again.
for (const name of ["beforeunload", "pagehide"]) addEventListener(name, () => connection?.abortController.abort());

// hx-sse reconnects only a stream that was open before. One that never opened is retried here.
for (const name of ["htmx:error", "htmx:response:error"]) {
  document.addEventListener(name, ({ detail }) => {
    const stream = detail.ctx?.sourceElement;
    if (stream?.id !== "live") return;
    const again = () => window.htmx.ajax("GET", stream.getAttribute("hx-sse:connect"), { source: stream });
    setTimeout(() => stream.isConnected && again(), wait);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  });
}
