/** Adds other ways to compare than side by side: one over the other with a slider, or one after the other. */

const stage = document.getElementById("stage");
const slider = document.getElementById("slider");
const modes = document.querySelectorAll(".mode[data-mode]");
const letters = document.querySelector(".flip-letters");
const samples = [...stage.querySelectorAll(".sample")];

for (const button of modes) button.addEventListener("click", () => choose(button.dataset.mode));
slider.addEventListener("input", cut);
letters.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button) show([...letters.querySelectorAll("button")].indexOf(button));
});
stage.addEventListener("pointermove", ({ clientX }) => {
  if (stage.dataset.mode !== "flip") return;
  const { left, width } = stage.getBoundingClientRect();
  show(Math.min(samples.length - 1, Math.max(0, Math.floor(((clientX - left) / width) * samples.length))));
});

function choose(mode) {
  stage.dataset.mode = mode;
  for (const button of modes) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  slider.parentElement.hidden = mode !== "slider";
  letters.hidden = mode !== "flip";
  cut();
  show(0);
}

function cut() {
  stage.style.setProperty("--cut", `${slider.value}%`);
}

function show(shown) {
  samples.forEach((sample, number) => sample.toggleAttribute("data-shown", number === shown));
  letters.querySelectorAll("button").forEach((button, number) => {
    button.setAttribute("aria-pressed", String(number === shown));
  });
}
