/**
 * Searches while the user types, keeps the address and the back button in step with the sheet, and closes the menus.
 *
 * Without this script the search bar is a form and links. The server answers each request of htmx with the search bar, which
 * contains its own address, and the sheet.
 */

const PAUSE = 300; // milliseconds without a keystroke before a search
const UNFINISHED = /(^|\s)-?[a-z]+:$/i; // its value is still to come; Enter searches nevertheless
let timer = 0;
let typed = false;
let restoring = false;
let focused = false;
let turned = false; // whether another sheet arrives
let shown = searchBar()?.dataset.address;

/** Let the address follow what is in view of the same sheet. */
export function follow(address) {
  shown = address;
  if (address !== location.pathname + location.search) history.replaceState(history.state, "", address);
}

function searchBar() {
  return document.getElementById("search-bar");
}

document.addEventListener("input", ({ target }) => {
  if (target.id !== "search-bar-q") return;
  clearTimeout(timer);
  typed = true;
  if (UNFINISHED.test(target.value)) return;
  timer = setTimeout(() => target.form?.requestSubmit(), PAUSE);
});

document.addEventListener("change", ({ target }) => {
  if (target.id !== "search-bar-sort") return;
  typed = false;
  target.form.requestSubmit();
});

document.addEventListener("submit", ({ target }) => target.id === "search-bar-form" && clearTimeout(timer), true);

/** Note whether the focus is in what is replaced, so that it is not lost with a removed link. */
document.addEventListener("htmx:before:swap", ({ detail }) => {
  turned ||= detail.tasks.some(({ target }) => target?.id === "prints");
  if (!detail.tasks.some(({ target }) => target?.id === "search-bar")) return;
  focused = Boolean(document.activeElement?.closest("#search-bar, #prints"));
});

document.addEventListener("htmx:after:swap", () => {
  if (focused && document.activeElement === document.body) {
    (document.querySelector("#search-bar .chip") ?? document.getElementById("filter-button")).focus();
  }
  focused = false;
});

/** Update the address. What is typed in one go is one step for the back button. */
document.addEventListener("htmx:after:swap", () => {
  const address = turned && searchBar()?.dataset.address;
  turned = false;
  if (!address || address === shown) return;
  shown = address;
  if (restoring) restoring = false;
  else if (typed && history.state?.typed) history.replaceState({ typed }, "", address);
  else history.pushState({ typed }, "", address);
});

addEventListener("popstate", () => {
  const address = location.pathname + location.search;
  if (location.pathname !== "/" || address === shown || !searchBar()) return;
  restoring = true;
  typed = false;
  window.htmx.ajax("GET", address, { source: searchBar(), swap: "none" });
});

document.addEventListener("click", ({ target }) => {
  const link = target.closest?.("#search-bar a, #timeline a, #prints a[hx-get]");
  if (link) typed = false;
  for (const menu of document.querySelectorAll(".search-bar-menu[open]")) {
    if (!link && menu.contains(target)) continue;
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }
});
