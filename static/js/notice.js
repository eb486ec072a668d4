/** Shows a short note at the bottom of the page when the request of a button fails. */

const STAY = 6000;
let timer = 0;

document.addEventListener("htmx:response:error", ({ detail }) => {
  const { ctx } = detail;
  if (ctx.sourceElement.id === "live") return;
  if (ctx.text?.includes('id="composer"')) return; // the composer shows it itself
  const { status } = ctx.response;
  const gone = status === 404 || status === 409;
  const refused = (status === 403 || status === 429) && message(ctx.text); // trying again would not help
  say(gone ? "That is no longer possible." : refused || `Something went wrong (error ${status}). Try again.`);
});

function message(page) {
  return new DOMParser().parseFromString(page, "text/html").querySelector(".error-message")?.textContent;
}

document.addEventListener("htmx:error", ({ detail }) => {
  if (detail.ctx && detail.ctx.sourceElement.id !== "live") say("Cannot reach the server. Try again.");
});

// The scripts of the lightbox are imported on their own.
document.addEventListener("darkroom:say", ({ detail }) => say(detail));

/** Show a note for a few seconds. */
export function say(words) {
  const note = document.getElementById("notice");
  note.hidden = false;
  note.textContent = words;
  clearTimeout(timer);
  timer = setTimeout(() => (note.hidden = true), STAY);
}
