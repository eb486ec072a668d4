/**
 * Opens the filter panel below the search bar and keeps it in step with the search: each answer with another search has
 * the button with its address. Without this script a link leads to a page with the same links.
 */

let open = false;

const button = () => document.getElementById("filter-button");
const panel = () => document.getElementById("filter-panel");

function show(opens) {
  open = opens;
  if (open) window.htmx.trigger(button(), "filter:wanted");
  else panel().hidden = true;
  mark();
}

function mark() {
  button()?.setAttribute("aria-expanded", String(open));
}

document.addEventListener("click", ({ target }) => target.closest?.("#filter-button") && show(!open));

document.addEventListener("keydown", (event) => {
  if (!open || event.key !== "Escape" || !event.target.closest?.("#filter-panel, #filter-button")) return;
  event.preventDefault();
  show(false);
  button().focus();
});

let searched = false; // whether another search arrives

document.addEventListener("htmx:before:swap", ({ detail }) => {
  searched ||= detail.tasks.some(({ target }) => target?.id === "search-bar");
});

document.addEventListener("htmx:after:swap", ({ detail }) => {
  if (detail.ctx?.sourceElement === button()) panel().hidden = !open;
  if (open && searched) show(true);
  searched = false;
  begin();
});

/** Show what filters and selects as soon as there are as many prints as the server asks for. */
function begin() {
  const few = document.querySelector("#search-bar[data-few]");
  if (few && document.querySelectorAll("#sheet > .card").length >= Number(few.dataset.few)) delete few.dataset.few;
}
