/** Sliders that move with their numbers, and dice and lock of the seed. */

const MOST = 2 ** 31 - 1;

document.addEventListener("input", ({ target }) => {
  if (!target.closest?.(".composer")) return;
  if (target.matches(".slider")) numberOf(target).value = target.value;
  else if (target.matches(".has-slider input[type=number]")) follow(target);
});

document.addEventListener("click", ({ target }) => {
  const dice = target.closest?.(".composer [data-dice]");
  if (dice) draw(dice.closest(".field").querySelector("input[type=number]"));
});

// A lock on nothing would keep nothing: the seed is drawn, then kept.
document.addEventListener("change", ({ target }) => {
  if (target.id !== "lock" || !target.checked) return;
  const seed = target.closest(".field").querySelector("input[type=number]");
  if (!seed.value) draw(seed);
});

// A morph leaves what was typed in a field: the seed of what was sent is taken out by hand.
document.addEventListener("htmx:after:swap", ({ detail }) => {
  const { sourceElement, response } = detail.ctx ?? {};
  const seed = document.getElementById("p-seed");
  if (sourceElement?.id === "composer" && response?.status < 400 && seed) seed.value = seed.defaultValue;
});

function numberOf(slider) {
  return slider.closest(".field").querySelector("input[type=number]");
}

function follow(number) {
  const slider = number.closest(".field").querySelector(".slider");
  slider.value = number.value || slider.dataset.default;
}

function draw(seed) {
  const [chance] = crypto.getRandomValues(new Uint32Array(1));
  seed.value = chance % (Math.min(Number(seed.max) || MOST, MOST) + 1);
}
