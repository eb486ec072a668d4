/**
 * Plays a film or an animation on its card, muted, while the mouse rests on it. Moved along the card, the mouse goes
 * through a film. Not for those who want less motion or fewer data; a finger opens the print.
 */

const REST = 150; // milliseconds on a card before anything is fetched: the mouse may only pass
const STILL = 400; // milliseconds without a move after which a film goes on playing
const JITTER = 4; // pixels that a resting hand moves

let card = null; // under the mouse
let moving = null; // the film or the animation that is shown on it
let timer = 0;
let from = 0; // where the mouse rested last, in pixels from the left
let edges = null; // of the card

document.addEventListener("pointerover", ({ target, pointerType, clientX }) => {
  const other = target.closest?.(".card[data-moves]") ?? null;
  if (other === card && (!moving || moving.isConnected)) return;
  stop();
  if (!other || pointerType !== "mouse" || !mayMove()) return;
  card = other;
  from = clientX;
  timer = setTimeout(start, REST);
});
document.documentElement.addEventListener("pointerleave", stop);
document.addEventListener("pointerdown", stop); // the print is opened
document.addEventListener("pointermove", ({ clientX }) => moving?.duration && scrub(clientX), { passive: true });

// A card that changes loses what is not the server's. The mouse may rest on it, so that no event follows.
document.addEventListener("htmx:after:swap", () => {
  if (!card || (moving ?? card).isConnected) return;
  const [same, at] = [document.getElementById(card.id), moving?.currentTime];
  stop();
  if (!same?.matches(".card[data-moves]:hover")) return;
  card = same;
  start();
  if (at) moving.currentTime = at;
});

function mayMove() {
  const less = ["(prefers-reduced-motion: reduce)", "(prefers-reduced-data: reduce)"].some((query) => matchMedia(query).matches);
  return !less && !navigator.connection?.saveData;
}

function start() {
  const face = card.querySelector(".card-face");
  if (!face) return;
  edges = card.getBoundingClientRect();
  moving = card.dataset.kind === "video" ? film(face) : Object.assign(document.createElement("img"), { alt: "" });
  moving.className = "card-moving";
  moving.src = card.dataset.moves;
  face.append(moving);
}

function film(face) {
  const video = Object.assign(document.createElement("video"), { muted: true, loop: true, playsInline: true, autoplay: true });
  const line = Object.assign(document.createElement("span"), { className: "card-progress" });
  video.tabIndex = -1;
  video.ariaHidden = "true";
  video.addEventListener("error", stop); // the browser cannot play it: the picture stays
  video.addEventListener("timeupdate", () => line.style.setProperty("--played", String(video.currentTime / video.duration || 0)));
  face.append(line);
  return video;
}

/** Show what the film has where the mouse is along the card, and go on from there when it rests. */
function scrub(x) {
  if (Math.abs(x - from) < JITTER) return;
  from = x;
  const video = moving;
  video.pause();
  const place = Math.min(Math.max((x - edges.left) / edges.width, 0), 1);
  if (!video.seeking) video.currentTime = place * video.duration;
  else video.addEventListener("seeked", () => from === x && (video.currentTime = place * video.duration), { once: true });
  clearTimeout(timer);
  timer = setTimeout(() => moving === video && video.play().catch(() => undefined), STILL);
}

function stop() {
  clearTimeout(timer);
  card?.querySelector(".card-progress")?.remove();
  moving?.remove();
  moving?.removeAttribute("src"); // ends the transfer
  moving?.load?.();
  card = moving = null;
}
