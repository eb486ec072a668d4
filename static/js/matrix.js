/** Has the server count the prints of a matrix while it is edited, and clears the composer after it is sent. */

const SEVERAL = /\{[^{}]*\|/s;

for (const name of ["input", "change"]) document.addEventListener(name, count);

function count({ type, target }) {
  if (type === "change" && target.id !== "model") return; // counted already while typed
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

/** Hide the chosen model from the list of further models. */
function hideChosen(form, name) {
  for (const box of form.querySelectorAll("[name=models]")) box.parentElement.hidden = box.value === name;
}

// Cleared here, as a morph keeps what was typed, and after the swap, as js/memory.js reads the prompt.
document.addEventListener("matrix:sent", () => {
  const form = document.getElementById("composer");
  for (const field of [form.elements.prompt, form.elements.seeds]) field.value = "";
  for (const box of form.querySelectorAll("[name=models]:checked")) box.checked = false;
  window.htmx.trigger(form.querySelector("#matrix-count"), "matrix:changed"); // replaces a count under way
  form.querySelector("#matrix").open = false;
});
