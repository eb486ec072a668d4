/**
 * Sends the requests of the buttons on cards. A card may be gone before the response arrives, so #main receives it.
 *
 * Their form is for pages without scripts and is removed: with it Chromium takes eighty times as long to add or remove
 * cards.
 */

document.getElementById("marks").remove();

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[form='marks']");
  const path = button?.getAttribute("formaction");
  if (button) window.htmx.ajax("POST", path, { source: button, event, target: "#main", swap: "none" });
});
