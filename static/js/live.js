/**
 * Puts cards that are new to this page in their place on the sheet, says when their number may be another, and opens the
 * stream again when its first connection fails.
 *
 * A live event carries a whole card and the id of the one it replaces. Where there is none, htmx leaves the task
 * without a target; a card that the page's search does not find says `placed:false`, and gets no place. Ids are UUIDs of
 * version 7, so the order of the ids is the order of time.
 */

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30000;
let wait = FIRST_WAIT;

document.addEventListener("htmx:before:swap", ({ detail }) => {
  if (detail.tasks.some(movesTheCount)) document.body.dispatchEvent(new Event("sheet-moved"));
  const lost = detail.tasks.filter((task) => task.type === "partial" && !task.target);
  for (const task of lost) {
    detail.tasks.splice(detail.tasks.indexOf(task), 1);
    const card = task.fragment.firstElementChild;
    if (card?.matches(".card") && task.swapSpec.placed !== false) place(card);
  }
});

/** Whether the search may find more or fewer now: a card is gone, found but not here, here but not found; or all came anew. */
function movesTheCount({ target, fragment, swapSpec }) {
  if (target?.id === "sheet" || swapSpec?.style === "delete") return true;
  const found = swapSpec?.placed !== false;
  return Boolean(fragment?.firstElementChild?.matches(".card")) && found !== Boolean(target);
}

function place(card) {
  const sheet = document.querySelector("#sheet[data-first-page]");
  if (!sheet || document.getElementById(card.id)) return;
  const next = [...sheet.querySelectorAll(":scope > .card")].find((other) => other.id < card.id);
  const older = sheet.querySelector("#older");
  if (!next && older) return; // it belongs on a page that was not loaded yet
  sheet.insertBefore(card, next ?? null);
  window.htmx.process(card);
}

document.addEventListener("htmx:sse:after:connection", () => {
  wait = FIRST_WAIT;
});

// hx-sse reconnects a stream that it once had. One that never opened is ours to try again.
for (const name of ["htmx:error", "htmx:response:error"]) {
  document.addEventListener(name, ({ detail }) => {
    const stream = detail.ctx?.sourceElement;
    if (stream?.id !== "live") return;
    const again = () => window.htmx.ajax("GET", stream.getAttribute("hx-sse:connect"), { source: stream });
    setTimeout(() => stream.isConnected && again(), wait);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  });
}
