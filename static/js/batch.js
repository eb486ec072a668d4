/**
 * Keeps the page of a batch current: its progress when a print changes its status, and all of it when the stream was
 * lost or a print is removed. The cell of a removed print stays and says why it is empty.
 */

let known = "";
let connected = false;
let held = ""; // the print that has the focus, or had it until a swap removed it

document.addEventListener("htmx:before:swap", ({ detail }) => {
  if (document.activeElement !== document.body) held = document.activeElement.closest("#batch-grid :is(.card, .grid-gone)")?.id ?? "";
  const gone = detail.tasks.filter(({ target, swapSpec }) => swapSpec?.style === "delete" && target?.closest("#batch-grid"));
  if (!gone.length) return;
  for (const task of gone) detail.tasks.splice(detail.tasks.indexOf(task), 1);
  document.body.dispatchEvent(new Event("batch:missed"));
});

document.addEventListener("htmx:after:swap", () => {
  if (held && document.activeElement === document.body) document.querySelector(`#${held}-restore, #${held}-link`)?.focus();
});

document.addEventListener("pointerdown", () => (held = "")); // a press anywhere gives it up

document.addEventListener("htmx:after:swap", () => {
  const grid = document.getElementById("batch-grid");
  if (!grid) return;
  const now = states(grid);
  if (known !== now) document.body.dispatchEvent(new Event("batch:moved"));
  known = now;
});

function states(grid) {
  return [...grid.querySelectorAll(".card")].map((card) => card.dataset.status).join();
}

document.addEventListener("htmx:sse:after:connection", () => {
  if (connected) document.body.dispatchEvent(new Event("batch:missed"));
  connected = true;
});

const grid = document.getElementById("batch-grid");
if (grid) known = states(grid);
