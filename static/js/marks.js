/**
 * Sends the small forms of cards by htmx, which hears of one when it is used: with four on each card, to be told of them
 * all took longer than everything else about a new row. The form may be gone before the answer comes: #main takes it.
 */

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || !form.matches("#main .card form")) return;
  event.preventDefault();
  window.htmx.ajax("POST", form.getAttribute("action"), { source: form, event, target: "#main", swap: "none" });
});
