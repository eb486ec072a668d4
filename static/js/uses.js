/**
 * Opens the menu of what a result can be used for at its card. Without this script the opener is a link to the print's
 * page.
 */

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.(".card-uses");
  if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  import("./uses/menu.js").then(({ open }) => open(opener)).catch(() => location.assign(opener.href));
});
