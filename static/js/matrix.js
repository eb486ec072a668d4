/** Has the prints of a matrix counted while it is written, and empties the composer once it is sent. */

const SEVERAL = /\{[^{}]*\|/s;

for (const name of ["input", "change"]) document.addEventListener(name, count);

function count({ type, target }) {
  if (type === "change" && target.id !== "model") return; // it was typed, and counted
  const form = target.closest?.("#composer");
  const sum = form?.querySelector("#matrix-count");
  if (!sum) return;
  if (target.id === "model") hideChosen(form, target.value);
  if (isMatrix(form) || sum.textContent.trim()) window.htmx.trigger(sum, "matrix:changed");
}

function isMatrix(form) {
  const { prompt, seeds } = form.elements;
  return SEVERAL.test(prompt.value) || seeds.value.trim() || form.querySelector("[name=models]:checked");
}

/** The chosen model is no further one. */
function hideChosen(form, name) {
  for (const box of form.querySelectorAll("[name=models]")) box.parentElement.hidden = box.value === name;
}

// By hand: a morph leaves alone what somebody typed. After it: js/memory.js wants the prompt.
document.addEventListener("matrix:sent", () => {
  const form = document.getElementById("composer");
  for (const field of [form.elements.prompt, form.elements.seeds]) field.value = "";
  for (const box of form.querySelectorAll("[name=models]:checked")) box.checked = false;
  window.htmx.trigger(form.querySelector("#matrix-count"), "matrix:changed"); // in place of a count under way
  form.querySelector("#matrix").open = false;
});
