/**
 * Shows the lightbox: PhotoSwipe over what is on the sheet. Older prints are requested near the end. Prints that are
 * added or removed meanwhile do not move the current slide; if its own print is removed, the next one takes its place.
 */

import PhotoSwipe from "../../vendor/photoswipe-5.4.4.esm.min.js";
import { styled } from "../styled.js";
import { addComparing } from "./comparing.js";
import { addControls } from "./controls.js";
import { addFilmstrip } from "./filmstrip.js";
import { Panel } from "./panel.js";
import { showOtherKinds, slidesOf } from "./slides.js";
import { addZoom, LEVELS } from "./zoom.js";

const NEAR = 24; // slides from the end, where older ones are requested
const AGAIN = 120; // milliseconds before trying again during a swipe
const PANS = ["ArrowUp", "ArrowDown"]; // PhotoSwipe's own keys; all others are in keys.js

const FIELDS = "input, textarea, select";
const NOTICES = ["done", "notice"]; // what the page says; in the lightbox nothing else can be seen or reached

const styles = Promise.all(["curation", "actions", "lightbox"].map(styled));

/**
 * Show a job's print. sheet: what windowing.js exports. before: called when it is certain to be shown. moved: called
 * with every job that is turned to. closed: called with the last one. drawn: see player.js. point: see cells.js. at:
 * which of its results. Rejects when the job is not on the sheet.
 */
export async function look(job, sheet, { moved, closed, before, drawn, point, at }) {
  await styles;
  const slides = slidesOf(sheet.cards());
  const first = slides.findIndex((slide) => slide.job === job);
  if (first < 0) throw new Error("not on the sheet");
  const index = first + at;
  before();
  const pswp = new PhotoSwipe({
    ...LEVELS,
    dataSource: slides,
    index,
    loop: false,
    bgOpacity: 1,
    counter: false,
    escKey: false,
    returnFocus: false,
    showAnimationDuration: 260,
    hideAnimationDuration: 220,
    errorMsg: "This file cannot be shown.",
  });
  const panel = new Panel(pswp);
  pswp.on("slidesChange", () => panel.refresh()); // the place in the search may be another
  const lost = { key: "" }; // the slide that went away and was replaced by the next one
  const watch = new MutationObserver((changes) => {
    follow(pswp, slides, sheet, lost);
    mean(pswp, point);
    pswp.dispatch("cardChange");
    const own = document.getElementById(`job-${pswp.currSlide?.data.job}`);
    if (changes.some(({ target }) => own?.contains(target) && !target.closest("time, .sound"))) panel.refresh();
  });
  pswp.addFilter("thumbEl", (_, { job, number }) => pictureOf(job, number));
  pswp.addFilter("placeholderSrc", (_, { data }) => data.msrc ?? false);
  showOtherKinds(pswp, drawn);
  addControls(pswp, panel, sheet);
  addComparing(pswp, panel, sheet);
  addFilmstrip(pswp, slides);
  addZoom(pswp);
  pswp.on("keydown", (event) => {
    const { key, target } = event.originalEvent;
    if (!PANS.includes(key) || target.matches(FIELDS)) event.preventDefault();
  });
  pswp.on("change", () => {
    const { data } = pswp.currSlide;
    show(data.job, sheet);
    pswp.element.dataset.job = data.job;
    mean(pswp, point);
    pswp.element.setAttribute("aria-label", `Print: ${data.alt}`);
    pswp.mainScroll.itemHolders.forEach(({ el }, at) => (el.inert = at !== 1));
    panel.tell(data.job);
    moved(data.job);
    if (slides.length - pswp.currIndex <= NEAR) askForOlder();
  });
  pswp.on("close", () => {
    delete pswp.element.dataset.job; // the keys are the grid's again
    pictureOf(pswp.currSlide.data.job)?.scrollIntoView({ block: "nearest" });
  });
  const giveBack = NOTICES.map((id) => document.getElementById(id)).filter(Boolean).map(lend(pswp));
  const tag = () => panel.tag();
  document.addEventListener("lightbox:tag", tag);
  pswp.on("destroy", () => {
    watch.disconnect();
    document.removeEventListener("lightbox:tag", tag);
    for (const give of giveBack) give();
    closed(pswp.currSlide.data.job);
  });
  pswp.init();
  pswp.element.setAttribute("aria-modal", "true");
  watch.observe(document.getElementById("main"), {
    childList: true,
    subtree: true,
    attributeFilter: ["data-slides", "aria-pressed"],
  });
  return {
    close: () => whenOpen(pswp, () => pswp.close()),
    turnTo: (other) => pswp.goTo(Math.max(0, slides.findIndex((slide) => slide.job === other))),
  };
}

/** Move an element of the page into the lightbox as soon as that is there. Returns what puts it back. */
function lend(pswp) {
  return (element) => {
    const seat = document.createComment(element.id);
    pswp.on("firstUpdate", () => {
      element.replaceWith(seat);
      pswp.element.append(element);
    });
    return () => (seat.isConnected ? seat.replaceWith(element) : element.remove());
  };
}

/** Run `act` as soon as the lightbox is open: PhotoSwipe cannot be closed while it opens. */
function whenOpen(pswp, act) {
  if (pswp.opener.isOpening) pswp.on("openingAnimationEnd", () => queueMicrotask(act));
  else act();
}

function pictureOf(job, number = 1) {
  return document.getElementById(`job-${job}`)?.querySelectorAll(".card-picture")[number - 1];
}

/** Have the marks of the card, on which keys and buttons act, mean the result that is shown. */
function mean(pswp, point) {
  const { job, position } = pswp.currSlide.data;
  point(document.getElementById(`job-${job}`), position);
}

/** Put the card of a job into the document and scroll it into view: keys and buttons act on it. */
function show(job, { emptied, bring }) {
  const card = emptied(`job-${job}`);
  if (!card) return;
  bring(card);
  card.scrollIntoView({ block: "nearest" });
}

function askForOlder() {
  const link = document.getElementById("older-link");
  if (!link || link.dataset.asked) return;
  link.dataset.asked = "";
  window.htmx.trigger(link, "intersect"); // what htmx makes of `revealed`
}

/**
 * Update the slides from the sheet. The current slide stays, with its zoom, whatever its new position; but one that had
 * gone from here and has come back is shown again.
 */
function follow(pswp, slides, sheet, lost) {
  if (pswp.isDestroying) return;
  const fresh = slidesOf(sheet.cards());
  if (fresh.length === slides.length && fresh.every(({ key }, at) => key === slides[at].key)) return;
  if (pswp.mainScroll.isShifted() || !pswp.opener.isOpen) {
    setTimeout(() => follow(pswp, slides, sheet, lost), AGAIN);
    return;
  }
  const back = fresh.findIndex(({ key }) => key === lost.key);
  const { key } = slides[pswp.currIndex];
  const stays = back >= 0 ? -1 : fresh.findIndex((slide) => slide.key === key);
  const at = Math.max(back, stays) >= 0 ? Math.max(back, stays) : heir(slides, pswp.currIndex, fresh);
  if (at < 0) return pswp.close();
  if (back >= 0) lost.key = "";
  else if (stays < 0) lost.key = key;
  for (const index of slides.keys()) pswp.contentLoader.removeByIndex(index);
  slides.splice(0, slides.length, ...fresh);
  pswp.currIndex = pswp.potentialIndex = at;
  const [before, here, after] = pswp.mainScroll.itemHolders;
  if (stays >= 0) {
    here.slide.index = here.slide.content.index = at;
    pswp.contentLoader.addToCache(here.slide.content);
  } else {
    pswp.setContent(here, at, true);
  }
  pswp.setContent(before, at - 1, true);
  pswp.setContent(after, at + 1, true);
  pswp.dispatch("change");
  pswp.dispatch("slidesChange");
}

/** Return the index of the next slide that still exists, else of the previous one. Returns -1 when all are gone. */
function heir(slides, index, fresh) {
  const order = [...slides.slice(index), ...slides.slice(0, index).reverse()];
  const next = order.find(({ key }) => fresh.some((slide) => slide.key === key));
  return next ? fresh.findIndex(({ key }) => key === next.key) : -1;
}
