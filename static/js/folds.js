/** Keeps open what the user has unfolded when the part of the page around it is replaced. */

document.addEventListener("htmx:before:swap", ({ detail }) => {
  for (const { target, fragment } of detail.tasks) {
    for (const fold of target?.querySelectorAll?.("details[open][id]") ?? []) {
      fragment?.querySelector(`#${CSS.escape(fold.id)}`)?.setAttribute("open", "");
    }
  }
});
