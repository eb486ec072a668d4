/**
 * Copies what a button names: a text (`data-copy`), the text of an element (`data-copy-text`, its id), or the whole
 * address of a link (`data-copy-link`). A page that was not loaded over HTTPS has no clipboard; there the text is
 * selected and copied as a user would.
 */

import { say } from "./notice.js";

document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("[data-copy], [data-copy-text], [data-copy-link]");
  if (!button) return;
  const [, what] = button.textContent.trim().split(" ");
  const done = await copied(wanted(button.dataset), button);
  say(done ? `Copied the ${what}.` : `This browser did not copy the ${what}.`);
});

function wanted({ copy, copyText, copyLink }) {
  if (copyLink) return new URL(copyLink, location.origin).href;
  return copy ?? document.getElementById(copyText).textContent;
}

async function copied(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return selected(text, button); // no clipboard, or not allowed
  }
}

/** Copy by the selection of a field, which is beside the button, so that it may take the focus in the lightbox. */
function selected(text, button) {
  const field = Object.assign(document.createElement("textarea"), { className: "visually-hidden", value: text, readOnly: true });
  button.after(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  button.focus();
  return done;
}
