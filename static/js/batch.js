/** Keeps the page of a batch true: its progress when a print of it moves on, and all of it when the stream was away. */

let known = "";
let connected = false;

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
