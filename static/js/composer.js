/**
 * Shows which keys send a prompt, has the empty prompt ask for what the model makes, and moves the focus to the control
 * that has a fault. Only a composer may replace the composer, so that an error page never discards what was typed.
 */

import { GENERATE } from "./keys/names.js";

function hint() {
  const note = document.querySelector(".composer [data-hint]");
  if (!note || matchMedia("(pointer: coarse)").matches) return;
  note.textContent = GENERATE;
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
  const [prompt, controls] = [document.getElementById("prompt"), document.getElementById("controls")];
  if (prompt && controls && prompt.placeholder !== controls.dataset.promptWords) prompt.placeholder = controls.dataset.promptWords;
  if (detail.ctx?.response?.status >= 400) document.querySelector('.composer [aria-invalid="true"]')?.focus();
});

hint();
