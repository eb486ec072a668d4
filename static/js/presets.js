/** Sends the name of a new preset by Enter, and tells the rest of the form that a preset has filled it in. */

document.addEventListener("keydown", (event) => {
  if (event.target.id !== "preset_name" || event.key !== "Enter" || event.isComposing || event.ctrlKey || event.metaKey) return;
  event.preventDefault(); // otherwise it would send the prompt
  document.getElementById("preset-save").click();
});

document.addEventListener("htmx:after:swap", ({ detail }) => {
  const { sourceElement, response } = detail.ctx ?? {};
  if (response?.status >= 400) return;
  if (sourceElement?.matches(".preset")) {
    document.getElementById("controls").dispatchEvent(new Event("input", { bubbles: true })); // the estimate follows it
    document.getElementById(sourceElement.id)?.focus();
  } else if (sourceElement?.id === "preset-save") document.getElementById("preset-new-summary")?.focus();
});
