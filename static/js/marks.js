/**
 * Sends what the buttons of cards say. A card may be gone before the answer comes: #main takes it.
 *
 * Their form is for those without a script, and is taken away: with it Chromium takes eighty times as long for cards that
 * come or go.
 */

document.getElementById("marks").remove();

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[form='marks']");
  const path = button?.getAttribute("formaction");
  if (button) window.htmx.ajax("POST", path, { source: button, event, target: "#main", swap: "none" });
});
