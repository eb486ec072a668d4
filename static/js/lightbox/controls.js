/** Adds our controls at the top of the lightbox, beside those of PhotoSwipe. */

import { position } from "./position.js";
import { level } from "./zoom.js";

/** sheet: what windowing.js exports. */
export function addControls(pswp, panel, sheet) {
  pswp.on("uiRegister", () => {
    for (const control of [told, position(sheet), place, stars, level, favorite, save, about]) {
      pswp.ui.registerElement(control(pswp, panel));
    }
  });
}

/** Return the control that announces the current slide to screen readers. */
function told(pswp) {
  return {
    name: "told",
    className: "visually-hidden",
    onInit: (element) => {
      element.setAttribute("role", "status");
      pswp.on("change", () => say(element, [pswp.currSlide.data.alt, among(pswp)].filter(Boolean).join(", ")));
    },
  };
}

/** Return the control that shows which of several results this is. */
function place(pswp) {
  return {
    name: "place",
    order: 2,
    onInit: (element) => {
      element.setAttribute("aria-hidden", "true");
      pswp.on("change", () => say(element, among(pswp)));
    },
  };
}

/** Return the control that shows the rating on the print's card. */
function stars(pswp) {
  return {
    name: "stars",
    order: 3,
    onInit: (element) => {
      element.setAttribute("role", "status");
      always(pswp, () => {
        const rating = Number(mark(pswp, "rate", "[aria-pressed='true']")?.value.replace("rate:", "") ?? 0);
        say(element, "\u2605".repeat(rating));
        element.setAttribute("aria-label", rating ? `Rated ${rating} of 5` : "");
      });
    },
  };
}

/** Return a favorite button that clicks the one on the print's card. */
function favorite(pswp) {
  return {
    name: "favorite",
    order: 7,
    isButton: true,
    title: "Favorite",
    html: icon("heart") + icon("heart-fill"),
    onInit: (button) =>
      always(pswp, () => {
        const own = mark(pswp, "favorite");
        button.hidden = !own || !document.body.dataset.may.includes("tidy");
        button.setAttribute("aria-pressed", own?.getAttribute("aria-pressed") ?? "false");
      }),
    onClick: () => mark(pswp, "favorite")?.click(),
  };
}

function save(pswp) {
  return {
    name: "save",
    order: 8,
    isButton: true,
    tagName: "a",
    title: "Download",
    html: icon("download-simple"),
    onInit: (link) => {
      link.download = "";
      pswp.on("change", () => (link.href = `${pswp.currSlide.data.src}?download`));
    },
  };
}

function about(pswp, panel) {
  return {
    name: "about",
    order: 9,
    isButton: true,
    title: "About this print",
    html: icon("info"),
    onInit: (button) => panel.attach(button),
    onClick: () => panel.toggle(),
  };
}

function among(pswp) {
  const { number, of } = pswp.currSlide.data;
  return of > 1 ? `Result ${number} of ${of}` : "";
}

/** Return a button on the card of the current slide. */
function mark(pswp, action, state = "") {
  const card = document.getElementById(`job-${pswp.currSlide.data.job}`);
  return card?.querySelector(`[data-action="${action}"] button${state}`);
}

function always(pswp, tell) {
  pswp.on("change", tell);
  pswp.on("cardChange", tell);
}

function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** Return the SVG of one of our icons, from the sprite that the page already uses. */
function icon(name) {
  const [sprite] = document.querySelector(".icon use").getAttribute("href").split("#");
  return `<svg class="lightbox-icon icon-${name}" viewBox="0 0 256 256" aria-hidden="true"><use href="${sprite}#${name}"></use></svg>`;
}
