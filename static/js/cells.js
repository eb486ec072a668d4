/**
 * Points the marks of a card with several results at one of them: the one under the mouse, with the focus, or in the
 * lightbox. Without this script they are those of the whole print.
 */

let last = null; // the card that was pointed last, and the position of its result
let rests = ""; // where the pointer is on the screen

document.addEventListener("pointermove", (event) => (rests = placeOf(event)), { passive: true });
document.addEventListener("pointerover", (event) => {
  // A pointer that rests means nothing when the marks beneath it move away.
  if (placeOf(event) !== rests) meant(event.target.closest?.(".card-cell"));
});
document.addEventListener("focusin", ({ target }) => meant(target.closest?.(".card-cell")));
document.addEventListener("htmx:after:swap", () => {
  const card = last && document.getElementById(last.id);
  if (!card?.matches("[data-cells]:not([data-cell]):is(:hover, :focus-within)")) return;
  point(card, last.position); // unless it is gone
  if (!card.matches("[data-cell]")) meant(card.querySelector(".card-cell:is(:hover, :focus)"));
});

/** Point the marks of a card at the result at a position. Those of a card with one result are of this one anyway. */
export function point(card, position) {
  mean(card, JSON.parse(card?.dataset.slides || "[]"), position);
}

function mean(card, results, position) {
  const at = results.findIndex((result) => result.position === position);
  const isTrashed = card?.querySelector("[data-action='restore']"); // then it is restored as a whole
  if (at < 0 || results.length === 1 || isTrashed) return;
  last = { id: card.id, position };
  mark(card, results[at]);
  set(card, "data-cell", at);
  card.querySelectorAll(".card-cell").forEach((cell, other) => cell.classList.toggle("is-meant", other === at));
  const uses = card.querySelector(".card-uses");
  if (uses) uses.dataset.output = position;
}

/** Point the marks at the result of a cell, if it is one. */
export function meant(cell) {
  const card = cell?.closest(".card");
  const results = JSON.parse(card?.dataset.slides || "[]");
  if (results.length) mean(card, results, results[cell.dataset.slide].position);
}

function mark(card, { position, favorite = false, rating = 0 }) {
  for (const button of card.querySelectorAll(".card-marks button")) {
    const address = button.getAttribute("formaction").replace(/&output=.*/, "");
    set(button, "formaction", `${address}&output=${position}`);
    const [action, stars] = button.value.split(":");
    if (action === "favorite") {
      set(button, "value", `favorite:${favorite ? "no" : "yes"}`);
      press(button, favorite, favorite);
    } else if (action === "rate") {
      if (stars === "0") button.hidden = !rating;
      else press(button, Number(stars) === rating, Number(stars) <= rating);
    }
  }
  const stars = card.querySelector(".card-stars");
  if (!stars) return;
  set(stars, "aria-label", `Rating: ${rating} of 5`);
  if (rating) set(stars, "data-rating", rating);
  else stars.removeAttribute("data-rating");
}

function press(button, isPressed, isSet) {
  set(button, "aria-pressed", isPressed);
  button.classList.toggle("is-set", isSet);
}

function placeOf({ screenX, screenY }) {
  return `${screenX} ${screenY}`;
}

/** Set an attribute only if it changes: the lightbox follows changes. */
function set(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}
