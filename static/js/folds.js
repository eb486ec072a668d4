/**
 * Keeps open what the user has unfolded when the part of the page around it is replaced. Escape closes a menu, and a
 * click elsewhere the one in a row of actions.
 */

const MENU = ".actions-row details[open]";
const MENUS = `${MENU}, .search-bar-menu[open]`;

document.addEventListener("htmx:before:swap", ({ detail }) => {
  for (const { target, fragment } of detail.tasks) {
    for (const fold of target?.querySelectorAll?.("details[open][id]") ?? []) {
      fragment?.querySelector(`#${CSS.escape(fold.id)}`)?.setAttribute("open", "");
    }
  }
});

document.addEventListener("click", ({ target }) => {
  for (const menu of document.querySelectorAll(MENU)) if (!menu.contains(target)) menu.open = false;
});
document.addEventListener("keydown", ({ key, target }) => {
  const menu = key === "Escape" && target.closest?.(MENUS);
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
