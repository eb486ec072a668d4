/** Sets the width and the height of the chosen model by an aspect ratio, and shows which of the ratios they have. */

const sides = () => [document.getElementById("p-width"), document.getElementById("p-height")];
const lengthOf = (field) => field.selectedOptions?.[0].text ?? (field.value || field.placeholder);

document.addEventListener("click", (event) => {
  const chosen = event.target.closest?.("#sizes .shape");
  if (!chosen) return;
  event.preventDefault();
  const lengths = chosen.value.split("x");
  sides().forEach((field, index) => set(field, lengths[index]));
});

function set(field, length) {
  if (field.matches("select")) field.value = [...field.options].find(({ text }) => text === length).value;
  else field.value = length === field.placeholder ? "" : length;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

document.addEventListener("input", ({ target }) => {
  if (!["p-width", "p-height"].includes(target.id)) return;
  const present = sides().map(lengthOf).join("x");
  for (const shape of document.querySelectorAll("#sizes .shape")) {
    shape.setAttribute("aria-pressed", String(shape.value === present));
  }
});
