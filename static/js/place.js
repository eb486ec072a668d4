/**
 * Keeps one's place: the address follows the scroll, so that a reload and the way back from another page lead to the
 * same print, also in browsers that keep no pages. What arrives above the view does not move what is in it.
 *
 * Where the view is, an IntersectionObserver finds when the page has been still for a moment: nothing is read while it
 * scrolls.
 */

import { follow } from "./search_bar.js";
import { cards } from "./windowing.js";

const STILL = 300; // milliseconds without a scroll event
const PLACES = ["at", "cursor", "until"];
const ABOVE = "1200px 0px -100% 0px"; // how near above the view more is loaded; not in the view, or it would move
const TOP = "0px 0px -60% 0px";
const FULL = 0.4; // of a row that may be empty for it to be stretched

let timer = 0;
let held = false; // while the handle of the timeline is dragged
let anchor = null; // what stays where it is while cards are added above it, and where that is
let turned = false; // whether another sheet arrives

addEventListener("scroll", later, { passive: true });

/** Let the address be, or follow again. */
export function hold(holds) {
  held = holds;
  if (!holds) later();
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(look, STILL);
}

function look() {
  const sheet = document.getElementById("sheet");
  if (!sheet || held || location.pathname !== "/" || history.state?.print) return;
  const shown = [...sheet.querySelectorAll(":scope > .card")];
  const watch = new IntersectionObserver((entries) => {
    watch.disconnect();
    const inView = entries.filter(({ isIntersecting }) => isIntersecting);
    const whole = inView.find(({ intersectionRatio }) => intersectionRatio >= 0.5) ?? inView[0];
    if (shown.length && document.body.contains(sheet)) seen(whole?.target ?? null, sheet);
  }, { rootMargin: TOP });
  for (const card of shown) watch.observe(card);
}

/** Note the first print in view; null above the sheet. */
function seen(card, sheet) {
  const first = cards().next().value;
  const begins = (!card || card === first) && !document.getElementById("newer");
  document.dispatchEvent(new CustomEvent("place:seen", { detail: card ?? first }));
  if (sheet.dataset.sort === "favorites" || held || location.pathname !== "/") return;
  const query = new URLSearchParams(location.search);
  for (const name of PLACES) query.delete(name);
  if (!begins) query.set("at", (card ?? first).id.slice("job-".length));
  follow(`/${query.size ? `?${query}` : ""}`);
  history.scrollRestoration = begins ? "auto" : "manual";
}

/** Scroll to the first print of a sheet that begins at a place, or to the top if it begins with the first of all. */
function settle() {
  const sheet = document.getElementById("sheet");
  if (!sheet || location.pathname !== "/") return;
  later();
  const query = new URLSearchParams(location.search);
  if (PLACES.some((name) => query.get(name))) {
    history.scrollRestoration = "manual";
    sheet.querySelector(":scope > :is(.sheet-day, .card)")?.scrollIntoView({ block: "start", behavior: "instant" });
  } else if (sheet.getBoundingClientRect().top < 0) scrollTo({ top: 0, behavior: "instant" });
  loadAbove();
}

const near = new IntersectionObserver(
  (entries) => entries.some(({ isIntersecting }) => isIntersecting) && window.htmx.trigger("#newer-link", "near"),
  { rootMargin: ABOVE },
);

/** Request more prints above as the view nears them. */
function loadAbove() {
  near.disconnect();
  const more = document.getElementById("newer");
  if (more) near.observe(more);
}

document.addEventListener("htmx:before:swap", ({ detail }) => {
  turned ||= detail.tasks.some(({ target }) => target?.id === "prints");
  const above = detail.tasks.find(({ target }) => target?.id === "newer")?.target;
  const stays = above && [...above.parentNode.children].find((element) => element.matches(".card, .sheet-spacer"));
  anchor = stays ? { stays, top: stays.getBoundingClientRect().top } : null;
});

document.addEventListener("htmx:after:swap", () => {
  if (anchor) {
    const { stays, top } = anchor;
    anchor = null;
    joinDays(stays);
    scrollBy({ top: stays.getBoundingClientRect().top - top, behavior: "instant" });
  }
  if (turned) settle();
  else loadAbove();
  turned = false;
});
document.addEventListener("sheet:replaced", settle);

/**
 * Remove the heading below which the view began, if the day has one above it now. The row above the join is stretched to
 * the full width if it is nearly full.
 */
function joinDays(card) {
  const heading = card.previousElementSibling;
  if (heading?.matches(".sheet-day") && document.getElementById(heading.id) !== heading) heading.remove();
  const join = card.previousElementSibling;
  if (!join?.matches(".sheet-join")) return; // a day begins here
  const rest = join.previousElementSibling;
  if (rest.clientWidth < FULL * rest.parentNode.clientWidth) rest.remove();
}

if (document.readyState === "complete") settle();
else addEventListener("DOMContentLoaded", settle);
