/**
 * Searches as one types, keeps the address and the back button in step with what the sheet shows, and closes the menus.
 *
 * Without this the finder is a form and links. Whatever is asked for by htmx, the server answers with the finder, which
 * knows its own address, and the sheet.
 */

const PAUSE = 300; // milliseconds without a key after which what was typed is searched for
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

/** Whether the focus is where things are replaced: a link that is gone thereafter must not take it along. */
document.addEventListener("htmx:before:swap", ({ detail }) => {
  if (!detail.tasks.some(({ target }) => target?.id === "finder")) return;
  focused = Boolean(document.activeElement?.closest("#finder, #prints"));
});

document.addEventListener("htmx:after:swap", () => {
  if (focused && document.activeElement === document.body) document.querySelector("#finder .chip").focus();
  focused = false;
});

/** What is typed in one go is one step for the back button. */
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
