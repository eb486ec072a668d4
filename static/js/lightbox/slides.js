/** Makes the slides of the lightbox: every output of every finished card on the sheet, in the sheet's order. */

const USUAL = 1024; // pixels, for a picture of unknown size
const WAVE_BOX = "0 0 100 64"; // in which webapp/render/views.py draws the sounds of slides

const ELEMENTS = {
  video: ({ src, msrc, alt }) => {
    const film = Object.assign(document.createElement("video"), { controls: true, loop: true, playsInline: true, src });
    if (msrc) film.poster = msrc;
    film.setAttribute("aria-label", alt);
    return film;
  },
  audio: ({ src, alt, job, wave, duration }, drawn) => {
    const title = Object.assign(document.createElement("p"), { className: "slide-title", textContent: alt, dir: "auto" });
    return framed("slide-sound", title, drawn({ source: src, job, title: alt, wave, box: WAVE_BOX, seconds: duration ?? 1 }));
  },
  text: ({ text, alt }) => framed("slide-text", words(text ?? alt)),
  file: ({ alt }) => framed("slide-text", words(alt)),
};

const known = new WeakMap(); // card -> its slides, and what they were made from

export function slidesOf(cards) {
  return [...cards].flatMap((card) => (card.dataset.slides ? slidesOfCard(card) : []));
}

function slidesOfCard(card) {
  const made = known.get(card);
  if (made?.from === card.dataset.slides) return made.slides;
  const fresh = madeFrom(card);
  known.set(card, { from: card.dataset.slides, slides: fresh });
  return fresh;
}

function madeFrom(card) {
  const job = card.id.slice("job-".length);
  const alt = card.querySelector(".card-picture")?.alt ?? card.querySelector(".card-title")?.textContent ?? "";
  return JSON.parse(card.dataset.slides).map((output, at, all) => ({
    ...output,
    ...(output.kind === "image" && { width: output.width ?? USUAL, height: output.height ?? USUAL }),
    type: output.kind,
    thumbCropped: true,
    alt,
    job,
    key: `${job} ${output.position}`,
    number: at + 1,
    of: all.length,
  }));
}

/** Show videos, sounds and texts as such, and leave events on their own controls to them. drawn: see player.js. */
export function showOtherKinds(pswp, drawn) {
  pswp.on("contentLoad", (event) => {
    const make = ELEMENTS[event.content.type];
    if (!make) return;
    event.preventDefault();
    event.content.element ??= make(event.content.data, drawn);
    event.content.onLoaded();
  });
  pswp.on("contentActivate", ({ content }) => {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (content.type === "video" && !still) content.element?.play().catch(() => undefined); // autoplay may be forbidden
  });
  pswp.on("contentDeactivate", ({ content }) => content.type === "video" && content.element?.pause());
  pswp.on("contentDestroy", ({ content }) => content.type === "video" && content.element?.pause());
  pswp.on("pointerDown", (event) => isForItself(event.originalEvent) && event.preventDefault());
  pswp.addFilter("preventPointerEvent", (prevent, event) => prevent && !isForItself(event));
}

/** Return whether a target keeps its events. A video is swiped like a picture, except at its controls below. */
function isForItself({ target, clientY }) {
  if (target.matches?.("video")) return clientY > target.getBoundingClientRect().bottom - 80;
  return Boolean(target.closest?.(".sound, .slide-text"));
}

function framed(name, ...elements) {
  const frame = document.createElement("div");
  frame.className = `slide-frame ${name}`;
  frame.append(...elements);
  return frame;
}

function words(text) {
  const paragraph = Object.assign(document.createElement("p"), { textContent: text, dir: "auto", tabIndex: 0 });
  paragraph.addEventListener("wheel", (event) => event.stopPropagation());
  return paragraph;
}
