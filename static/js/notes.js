/**
 * Says when the notes of a print are saved, which they are while one writes, and saves what is not saved yet when one
 * leaves the page.
 */

const FORM = ".curation-notes";
let unsaved = null; // the form with words that the server does not have

document.addEventListener("input", ({ target }) => {
  const form = target.closest(FORM);
  if (!form) return;
  unsaved = form;
  say(form, "");
});

document.addEventListener("htmx:config:request", ({ detail }) => {
  if (detail.ctx.sourceElement.matches?.(FORM)) detail.ctx.sentNotes = words(detail.ctx.sourceElement);
});

document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  if (ctx.sentNotes === undefined || !ctx.response?.raw?.ok) return;
  const form = document.querySelector(FORM);
  if (!form || words(form) !== ctx.sentNotes) return;
  unsaved = null;
  say(form, "Saved");
});

addEventListener("pagehide", leave);
document.addEventListener("notes:leave", leave); // the lightbox turns to another print

function leave() {
  if (unsaved) navigator.sendBeacon(unsaved.getAttribute("action"), new URLSearchParams(new FormData(unsaved)));
  unsaved = null;
}

const words = (form) => form.elements.namedItem("notes").value;

function say(form, said) {
  const place = form.querySelector("output");
  if (place.textContent !== said) place.textContent = said;
}
