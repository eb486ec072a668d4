/**
 * Sends what the buttons of cards say. A card may be gone before the answer comes: #main takes it.
 *
 * Their form is for those without a script. With each of its buttons that comes or goes the browser goes through all of them,
 * and through the whole page to find them: so it is taken away.
 */

document.getElementById("marks").remove();

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[form='marks']");
  const path = button?.getAttribute("formaction");
  if (button) window.htmx.ajax("POST", path, { source: button, event, target: "#main", swap: "none" });
});
