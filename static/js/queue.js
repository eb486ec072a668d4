/**
 * Opens the queue in a drawer, and has it asked for again while it can be seen: there, and on its own page.
 *
 * On a sheet that folds the jobs that wait into one card, they have no cards of their own.
 */

import { isPlain } from "./clicks.js";
import { discount } from "./days.js";
import { cards } from "./windowing.js";

const EVERY = 2000; // milliseconds between two looks at the queue
const WAITING = ["queued", "retrying"];
const drawer = document.getElementById("queue-drawer");
const rows = () => [...document.querySelectorAll("#queue .queue-row")];
let place = -1; // of the row that has the focus

/** Return whether a card that is new to this page has no place on it, because its job waits and those are folded. */
export function isFolded(card) {
  return WAITING.includes(card.dataset.status) && Boolean(document.querySelector("#queue-fold > a"));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("#queue-link, #queue-fold-link");
  if (!link || !drawer || !isPlain(event)) return;
  event.preventDefault();
  drawer.showModal();
  look();
});

drawer?.addEventListener("click", ({ target }) => target === drawer && drawer.close());

document.addEventListener("htmx:after:swap", ({ detail }) => {
  if (!detail.ctx?.text?.includes('id="queue-fold-link"')) return;
  for (const card of [...cards()].filter(isFolded)) {
    if (card.contains(document.activeElement) || card.querySelector(".card-select:checked")) continue;
    discount(card);
    card.remove();
  }
});

// A button that is pressed may go with its row: the focus then stays at the same place in the list.
document.addEventListener("htmx:before:swap", () => {
  const row = document.activeElement?.closest("#queue .queue-row");
  if (row) place = rows().indexOf(row);
  else if (document.activeElement !== document.body) place = -1;
});

document.addEventListener("htmx:after:swap", () => {
  if (place < 0 || document.activeElement !== document.body) return;
  const row = rows()[Math.min(place, rows().length - 1)];
  (row?.querySelector("a") ?? document.querySelector("#queue-drawer button"))?.focus();
});

setInterval(() => !document.hidden && (!drawer || drawer.open) && look(), EVERY);

function look() {
  document.getElementById("queue")?.dispatchEvent(new Event("queue-look"));
}
