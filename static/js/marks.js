/** Sends what the buttons of cards say. A card may be gone before the answer comes: #main takes it. */

document.addEventListener("submit", (event) => {
  const { target, submitter } = event;
  if (target.id !== "marks") return;
  event.preventDefault();
  const path = submitter.getAttribute("formaction");
  window.htmx.ajax("POST", path, { source: submitter, event, target: "#main", swap: "none" });
});
