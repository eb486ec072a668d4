/** Shows the slides around the current one as a strip of small pictures, which are clicked or reached by keys. */

const AROUND = 40; // slides on each side

const ELSE = { audio: wave, text: words, file: words };

/** Add the strip to the lightbox. */
export function addFilmstrip(pswp, slides) {
  const strip = Object.assign(document.createElement("nav"), { className: "filmstrip" });
  const thumbs = new Map(); // key of the slide -> its button
  strip.setAttribute("aria-label", "Filmstrip");
  strip.addEventListener("wheel", (event) => {
    event.stopPropagation(); // it scrolls and does not zoom
    if (!event.deltaX && !event.ctrlKey) strip.scrollBy({ left: event.deltaY });
  }, { passive: true });
  strip.addEventListener("click", ({ target }) => {
    const { key } = target.closest("button")?.dataset ?? {};
    const index = slides.findIndex((slide) => slide.key === key);
    if (index >= 0) pswp.goTo(index);
  });
  strip.addEventListener("keydown", (event) => {
    if (event.key === "Home") pswp.goTo(0);
    else if (event.key === "End") pswp.goTo(slides.length - 1);
    else return;
    event.preventDefault();
  });

  function draw() {
    const from = Math.max(0, pswp.currIndex - AROUND);
    const near = slides.slice(from, pswp.currIndex + AROUND + 1);
    const keys = new Set(near.map(({ key }) => key));
    for (const [key, thumb] of thumbs) if (!keys.has(key)) thumb.remove(), thumbs.delete(key);
    const held = strip.contains(document.activeElement);
    let place = strip.firstElementChild;
    for (const slide of near) {
      const thumb = thumbs.get(slide.key) ?? made(slide);
      thumbs.set(slide.key, thumb);
      if (thumb === place) place = place.nextElementSibling;
      else strip.insertBefore(thumb, place);
      const isCurrent = slide.key === slides[pswp.currIndex].key;
      thumb.tabIndex = isCurrent ? 0 : -1;
      if (isCurrent) thumb.setAttribute("aria-current", "true");
      else thumb.removeAttribute("aria-current");
    }
    const current = strip.querySelector("[aria-current]");
    current.scrollIntoView({ block: "nearest", inline: "center", behavior: "instant" });
    if (held) current.focus({ preventScroll: true });
  }

  pswp.on("firstUpdate", () => pswp.element.append(strip));
  pswp.on("change", draw);
}

function made(slide) {
  const thumb = Object.assign(document.createElement("button"), { type: "button", className: "filmstrip-thumb" });
  thumb.dataset.key = slide.key;
  thumb.setAttribute("aria-label", slide.alt.slice(0, 80) + (slide.of > 1 ? `, result ${slide.number} of ${slide.of}` : ""));
  const picture = slide.msrc ?? (slide.type === "image" ? slide.src : null);
  if (picture) {
    const card = document.querySelector(`#job-${slide.job} .card-picture`);
    const src = (slide.number === 1 && card?.currentSrc) || picture; // what the sheet has loaded already
    thumb.append(Object.assign(document.createElement("img"), { loading: "lazy", decoding: "async", alt: "", src }));
  } else thumb.append(ELSE[slide.type]?.(slide) ?? "");
  return thumb;
}

function wave({ wave }) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  drawing.setAttribute("viewBox", "0 0 100 64"); // see slides.js
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  path.setAttribute("d", wave);
  drawing.append(path);
  return drawing;
}

function words({ text, alt }) {
  return Object.assign(document.createElement("span"), { textContent: (text ?? alt).slice(0, 60) });
}
