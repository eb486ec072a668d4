/**
 * Opens a finished print in the lightbox when it is clicked; the viewer is imported only then. The address is that of
 * the print's own page: going back closes the lightbox, a reload shows that page. Other clicks on a card lead there.
 */

import { point } from "./cells.js";
import { isPlain } from "./clicks.js";
import { drawn } from "./player.js";
import { bring, cards, emptied } from "./windowing.js";

const sheet = { bring, cards, emptied };

// Where this document was loaded from: the address may have changed since. Not every browser reports it.
const loaded = new URL(performance.getEntriesByType("navigation")[0]?.name ?? location.href).pathname;
let viewer = null;
let opening = null; // the pending viewer, for a second click

document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".card a[id$='-link']");
  const card = link?.closest(".card");
  const job = card?.id.slice("job-".length);
  if (link) link.href = address(job); // a live event does not know the search
  if (!card?.matches("[data-slides]") || !isPlain(event)) return;
  event.preventDefault();
  const before = () => history.pushState({ print: job }, "", address(job));
  open(job, before, Number(link.dataset.slide ?? 0)).catch(() => location.assign(link.href));
});

// A page that was loaded anew under a print's address is that print's own; to the browser the two are still one document.
addEventListener("popstate", ({ state }) => {
  if (state?.print) open(state.print).catch(() => location.reload());
  else if (viewer) viewer.close();
  else if (location.pathname !== loaded) location.reload();
});

if (location.pathname !== loaded) location.reload(); // the user went back before this script was loaded

addEventListener("pageshow", ({ persisted }) => {
  if (persisted && !history.state?.print) viewer?.close();
});

/** Open a print in the lightbox at one of its results. Rejects when it is not on the sheet or the viewer cannot be fetched. */
async function open(job, before = () => undefined, at = 0) {
  if (viewer) return viewer.turnTo(job);
  opening ??= import("./lightbox/viewer.js").then(({ look }) => look(job, sheet, { moved, closed, before, drawn, point, at }));
  try {
    viewer = await opening;
  } finally {
    opening = null;
  }
}

/** Return the address of a print with the search and order of the grid, so that its page leads to the same prints. */
function address(job) {
  const here = new URLSearchParams(location.search);
  const within = new URLSearchParams([...here].filter(([name, value]) => value && (name === "q" || name === "sort")));
  return `/jobs/${job}${within.size ? `?${within}` : ""}`;
}

function moved(job) {
  if (history.state?.print && history.state.print !== job) history.replaceState({ print: job }, "", address(job));
}

function closed(job) {
  viewer = null;
  if (history.state?.print) history.back();
  document.getElementById(`job-${job}-link`)?.focus({ preventScroll: true });
}
