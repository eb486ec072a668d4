/**
 * Searches while the user types, keeps the address and the back button in step with the sheet, and closes the menus.
 *
 * Without this script the finder is a form and links. The server answers each request of htmx with the finder, which
 * contains its own address, and the sheet.
 */

const PAUSE = 300; // milliseconds without a keystroke before a search
let timer = 0;
let typed = false;
let restoring = false;
let focused = false;
let shown = finder()?.dataset.address;

function finder() {
  return document.getElementById("finder");
}

document.addEventListener("input", ({ target }) => {
  if (target.id !== "finder-q") return;
  clearTimeout(timer);
  typed = true;
  timer = setTimeout(() => target.form?.requestSubmit(), PAUSE);
});

document.addEventListener("change", ({ target }) => {
  if (target.id !== "finder-sort") return;
  typed = false;
  target.form.requestSubmit();
});

document.addEventListener("submit", ({ target }) => target.id === "finder-form" && clearTimeout(timer), true);

/** Note whether the focus is in what is replaced, so that it is not lost with a removed link. */
document.addEventListener("htmx:before:swap", ({ detail }) => {
  if (!detail.tasks.some(({ target }) => target?.id === "finder")) return;
  focused = Boolean(document.activeElement?.closest("#finder, #prints"));
});

document.addEventListener("htmx:after:swap", () => {
  if (focused && document.activeElement === document.body) document.querySelector("#finder .chip").focus();
  focused = false;
});

/** Update the address. What is typed in one go is one step for the back button. */
document.addEventListener("htmx:after:swap", () => {
  const address = finder()?.dataset.address;
  if (!address || address === shown) return;
  shown = address;
  if (restoring) restoring = false;
  else if (typed && history.state?.typed) history.replaceState({ typed }, "", address);
  else history.pushState({ typed }, "", address);
});

addEventListener("popstate", () => {
  const address = location.pathname + location.search;
  if (location.pathname !== "/" || address === shown || !finder()) return;
  restoring = true;
  typed = false;
  window.htmx.ajax("GET", address, { source: finder(), swap: "none" });
});

document.addEventListener("click", ({ target }) => {
  const link = target.closest?.("#finder a, #prints a[hx-get]");
  if (link) typed = false;
  for (const menu of document.querySelectorAll(".finder-menu[open]")) {
    if (!link && menu.contains(target)) continue;
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest?.(".finder-menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
