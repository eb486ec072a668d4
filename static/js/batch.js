/** Keeps the page of a batch true: its progress when a print of it ends, and its grid when the stream was away. */

let counted = "";
let connected = false;

document.addEventListener("htmx:after:swap", () => {
  const grid = document.getElementById("batch-grid");
  if (!grid) return;
  const now = [...grid.querySelectorAll(".card")].map((card) => card.dataset.status).join();
  if (counted && counted !== now) document.body.dispatchEvent(new Event("batch:moved"));
  counted = now;
});

document.addEventListener("htmx:sse:after:connection", () => {
  if (connected) document.body.dispatchEvent(new Event("batch:missed"));
  connected = true;
});
