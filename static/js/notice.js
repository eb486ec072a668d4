/** A short note at the foot of the page when a button's request did not work. */

const STAY = 6000;
let timer = 0;

document.addEventListener("htmx:response:error", ({ detail }) => {
  const { ctx } = detail;
  if (ctx.sourceElement.id === "live") return;
  if (ctx.text?.includes('id="composer"')) return; // the composer says it itself
  const { status } = ctx.response;
  const gone = status === 404 || status === 409;
  const refused = (status === 403 || status === 429) && message(ctx.text); // to try again would not help
  say(gone ? "That is not possible any more." : refused || `That did not work (error ${status}). Please try again.`);
});

function message(page) {
  return new DOMParser().parseFromString(page, "text/html").querySelector(".error-message")?.textContent;
}

document.addEventListener("htmx:error", ({ detail }) => {
  if (detail.ctx && detail.ctx.sourceElement.id !== "live") say("The server cannot be reached. Please try again.");
});

/** Other scripts have something to say, too. */
document.addEventListener("darkroom:say", ({ detail }) => say(detail));

function say(words) {
  const note = document.getElementById("notice");
  note.hidden = false;
  note.textContent = words;
  clearTimeout(timer);
  timer = setTimeout(() => (note.hidden = true), STAY);
}
