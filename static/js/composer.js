/**
 * Says by which keys a prompt is sent; a fault found moves the focus to the control it belongs to; and nothing but a
 * composer takes the composer's place, so that an error page never costs what was typed.
 */

import { DEVELOP } from "./keys/names.js";

function hint() {
  const note = document.querySelector(".composer [data-hint]");
  if (!note || matchMedia("(pointer: coarse)").matches) return;
  note.textContent = DEVELOP;
  note.hidden = false;
}

document.addEventListener("htmx:before:swap", ({ detail }) => {
  const strange = detail.tasks.findIndex(
    ({ target, fragment }) => target?.id === "composer" && !fragment.querySelector("#composer"),
  );
  if (strange >= 0) detail.tasks.splice(strange, 1);
});

document.addEventListener("htmx:after:swap", ({ detail }) => {
  hint();
  if (detail.ctx?.response?.status >= 400) document.querySelector('.composer [aria-invalid="true"]')?.focus();
});

hint();
