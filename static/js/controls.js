/** Keeps sliders in step with their numbers, draws and locks the seed, and counts the folded settings that are set. */

const MOST = 2 ** 31 - 1;

document.addEventListener("input", ({ target }) => {
  if (!target.closest?.(".composer")) return;
  count();
  if (target.matches(".slider")) numberOf(target).value = target.value;
  else if (target.matches(".has-slider input[type=number]")) follow(target);
});

document.addEventListener("click", ({ target }) => {
  const dice = target.closest?.(".composer [data-dice]");
  if (dice) draw(dice.closest(".field").querySelector("input[type=number]"));
});

// A lock on an empty seed would keep nothing: the seed is drawn first.
document.addEventListener("change", ({ target }) => {
  if (target.id !== "lock" || !target.checked) return;
  const seed = target.closest(".field").querySelector("input[type=number]");
  if (!seed.value) draw(seed);
});

// A morph keeps what was typed in a field, so the seed that was sent is reset here.
document.addEventListener("htmx:after:swap", ({ detail }) => {
  const { sourceElement, response } = detail.ctx ?? {};
  const seed = document.getElementById("p-seed");
  if (sourceElement?.id === "composer" && response?.status < 400 && seed) seed.value = seed.defaultValue;
  count();
});

/** Show on the fold how many of its settings differ from the model's defaults. */
function count() {
  const set = [...document.querySelectorAll(".more-fields .field")].filter(isSet).length;
  const summary = document.getElementById("more-settings-summary");
  if (summary) summary.dataset.set = set ? `${set} set` : "";
}

function isSet(field) {
  return [...field.querySelectorAll("input:not([type=hidden], [type=range], [type=file]), select, textarea")].some(
    ({ type, checked, value }) => {
      if (type === "radio") return checked && value !== "";
      return type === "checkbox" ? checked === (value !== "") : value !== "";
    },
  );
}

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

count();
