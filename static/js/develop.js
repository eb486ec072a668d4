/**
 * Fades in a picture that finishes in view like a print in the developer: pale and soft first, then with full depth.
 * Of many that finish together only a few are animated, as many as a viewer can follow; the others just appear.
 */

const LONG = 1300;
const AT_ONCE = 4; // cards
const finishing = new Set();
let comingUp = 0;

document.addEventListener("htmx:before:swap", ({ detail }) => {
  for (const { target, fragment } of detail.tasks) {
    const card = fragment?.firstElementChild;
    const before = target?.dataset?.status;
    if (before && before !== "completed" && card?.dataset.status === "completed") finishing.add(card.id);
  }
});

document.addEventListener("htmx:after:swap", () => {
  if (finishing.size) requestAnimationFrame(develop);
});

function develop() {
  const cards = [...finishing].map((id) => document.getElementById(id)).filter(isInView); // measured, then changed
  finishing.clear();
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) cards.forEach(bringOut);
}

function isInView(card) {
  const { top, bottom } = card?.getBoundingClientRect() ?? {};
  return bottom > 0 && top < innerHeight;
}

function bringOut(card) {
  if (comingUp === AT_ONCE) return;
  comingUp += 1;
  setTimeout(() => (comingUp -= 1), LONG);
  card.querySelector(".card-ghost")?.animate({ opacity: [0, 1] }, { duration: 500, easing: "ease-out" });
  card.querySelectorAll(".card-picture, .print-picture, .print-video, .wave").forEach(comeUp);
}

async function comeUp(picture) {
  const print = picture.animate(
    [
      { opacity: 0, filter: "blur(14px) contrast(0.45) brightness(1.35) sepia(0.5)" },
      { opacity: 0.85, filter: "blur(5px) contrast(0.75) brightness(1.15) sepia(0.25)", offset: 0.45 },
      { opacity: 1, filter: "none" },
    ],
    { duration: LONG, easing: "cubic-bezier(0.3, 0, 0.25, 1)", fill: "backwards" },
  );
  print.pause();
  await picture.decode?.().catch(() => undefined); // a broken picture shows its alternative text
  print.play();
}
