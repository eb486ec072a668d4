/** Sends the name of a new preset by Enter, and tells the rest of the form that a preset has filled it in. */

document.addEventListener("keydown", (event) => {
  if (event.target.id !== "preset_name" || event.key !== "Enter" || event.isComposing || event.ctrlKey || event.metaKey) return;
  event.preventDefault(); // otherwise it would send the prompt
  document.getElementById("preset-save").click();
});

// The button that was pressed is replaced, so that the event comes from what it is in.
document.addEventListener("htmx:after:swap", ({ detail }) => {
  const { sourceEvent, response } = detail.ctx ?? {};
  const pressed = sourceEvent?.target;
  if (response?.status >= 400 || !pressed?.matches?.("#preset-save, .preset")) return;
  if (pressed.id === "preset-save") document.getElementById("preset-new-summary")?.focus();
  else {
    document.getElementById("controls").dispatchEvent(new Event("input", { bubbles: true })); // the estimate follows it
    document.getElementById(pressed.id)?.focus();
  }
});
