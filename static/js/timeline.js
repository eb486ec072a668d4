/**
 * Draws the timeline to scale along the right edge: a month is as tall as its share of the prints. Its handle shows
 * where the view is; dragged or moved by keys it jumps to a month, of which alone the prints are loaded.
 */

import { dayOf } from "./days.js";
import { hold } from "./place.js";

const LEAST_YEAR = 0.04; // of the whole, so that the names of years do not touch
const LEAST_MONTH = 0.03; // of its year
const AWAKE = 1500; // milliseconds that the handle stays on a phone after the page has scrolled
const CHOSEN = 500; // milliseconds after the last key until the month is jumped to

let marks = []; // of each month: its link, and where it begins and ends, from 0 at the top to 1 at the bottom
let current = 0;
let dragging = null; // the timeline's rectangle
let sleep = 0;
let keyed = 0; // the timer of a month that was chosen by keys

const timeline = () => document.getElementById("timeline");
const part = (name) => document.getElementById(`timeline-${name}`);

function draw() {
  marks = [];
  const years = [...(timeline()?.querySelectorAll(".timeline-year") ?? [])];
  const links = years.map((year) => [...year.querySelectorAll("a")]);
  const shares = share(links.map((of) => of.reduce((sum, link) => sum + Number(link.dataset.weight), 0)), LEAST_YEAR);
  let from = 0;
  years.forEach((year, at) => {
    year.style.height = `${shares[at] * 100}%`;
    share(links[at].map((link) => Number(link.dataset.weight)), LEAST_MONTH).forEach((height, place) => {
      const link = links[at][place];
      link.parentNode.style.height = `${height * 100}%`;
      marks.push({ link, from, to: (from += height * shares[at]) });
    });
  });
  if (marks.length) timeline().dataset.drawn = "";
  if (marks.length) show(Math.min(current, marks.length - 1));
}

/** Return the share of each weight in their sum, but not less than `least`. The shares add up to 1. */
function share(weights, least) {
  const sum = weights.reduce((one, other) => one + other, 0) || 1;
  const raised = weights.map((weight) => Math.max(weight / sum, least));
  const all = raised.reduce((one, other) => one + other, 0);
  return raised.map((weight) => weight / all);
}

function show(at) {
  current = at;
  const { link, from } = marks[at];
  const handle = part("handle");
  handle.style.top = `${from * 100}%`;
  handle.setAttribute("aria-valuenow", at);
  handle.setAttribute("aria-valuetext", link.dataset.words.replace(/, (.*)/, (_, number) => `, ${number} print${number === "1" ? "" : "s"}`));
}

function say(at) {
  const bubble = part("bubble");
  bubble.hidden = at < 0;
  if (at < 0) return;
  bubble.textContent = marks[at].link.dataset.words;
  bubble.style.top = `${marks[at].from * 100}%`;
}

function jump() {
  marks[current].link.click();
}

/** Return the month at a height of the window. */
function under(y, { top, height }) {
  const share = Math.min(Math.max((y - top) / height, 0), 0.9999);
  return marks.findIndex(({ to }) => share < to);
}

document.addEventListener("pointerdown", (event) => {
  if (event.button || !marks.length || !event.target.closest?.("#timeline")) return;
  event.preventDefault();
  dragging = timeline().getBoundingClientRect();
  timeline().setPointerCapture(event.pointerId);
  timeline().dataset.dragged = "";
  hold(true);
  show(under(event.clientY, dragging));
  say(current);
});

document.addEventListener("pointermove", ({ target, clientY, pointerType }) => {
  if (!marks.length) return;
  if (dragging) show(under(clientY, dragging));
  const isOver = pointerType === "mouse" && target.closest?.("#timeline");
  if (dragging) say(current);
  else if (isOver) say(under(clientY, timeline().getBoundingClientRect()));
  else if (!part("bubble").hidden) say(-1);
});

for (const [name, done] of [["pointerup", jump], ["pointercancel", () => undefined]]) {
  document.addEventListener(name, () => {
    if (!dragging) return;
    dragging = null;
    delete timeline().dataset.dragged;
    say(-1);
    done();
    hold(false);
  });
}

document.addEventListener("keydown", (event) => {
  if (event.target !== part("handle") || !marks.length || event.altKey || event.ctrlKey || event.metaKey) return;
  const year = (at) => marks[at].link.closest(".timeline-year");
  const next = marks.findIndex((_, at) => at > current && year(at) !== year(current));
  const start = marks.findIndex((_, at) => year(at) === year(current));
  const before = marks.findIndex((_, at) => at < start && year(at) === year(start - 1));
  const last = marks.length - 1;
  const to = {
    ArrowUp: current - 1, ArrowLeft: current - 1, ArrowDown: current + 1, ArrowRight: current + 1,
    Home: 0, End: last, PageUp: before < 0 ? 0 : before, PageDown: next < 0 ? last : next,
  }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  clearTimeout(keyed);
  show(Math.min(Math.max(to, 0), last));
  say(current);
  keyed = setTimeout(() => {
    keyed = 0;
    say(-1);
    jump();
  }, CHOSEN);
});

document.addEventListener("place:seen", ({ detail: card }) => {
  const month = card?.id && dayOf(card).slice(0, -"-01".length);
  const at = marks.findIndex(({ link }) => link.dataset.month === month);
  if (at >= 0 && !dragging && !keyed) show(at);
});

addEventListener(
  "scroll",
  () => {
    clearTimeout(sleep);
    if (timeline() && !("awake" in timeline().dataset)) timeline().dataset.awake = "";
    sleep = setTimeout(() => timeline()?.removeAttribute("data-awake"), AWAKE);
  },
  { passive: true },
);

let turned = false; // whether another timeline arrives

document.addEventListener("htmx:before:swap", ({ detail }) => {
  turned ||= detail.tasks.some(({ target }) => target?.id === "timeline");
});
document.addEventListener("htmx:after:swap", () => {
  if (turned) draw();
  turned = false;
});
draw();
