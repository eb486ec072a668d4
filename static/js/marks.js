/**
 * Sends the requests of the buttons on cards, whose form is for pages without scripts. A card may be gone before the
 * response arrives, so #main receives it.
 */

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[form='marks']");
  const path = button?.getAttribute("formaction");
  if (button) window.htmx.ajax("POST", path, { source: button, event, target: "#main", swap: "none" });
});
