/**
 * The menu of what a result can be used for. There is one, in the top layer: no card cuts it off, and none that changes
 * takes it along. Where it stands is for css/uses.css to say, Escape and a press beside it are the browser's.
 */

import { styled } from "../styled.js";

const styles = styled("uses");
const menu = document.createElement("div");
let opener = null;
let isClosing = false; // a press on the opener has closed it already

Object.assign(menu, { className: "uses-menu", id: "uses-menu", popover: "auto", role: "dialog", ariaLabel: "Use this print" });
document.body.append(menu);

/** Rejects where it cannot be fetched. */
export async function open(from) {
  if (isClosing) return;
  opener = from;
  const [answer] = await Promise.all([fetch(`/jobs/${from.closest(".card").id.slice("job-".length)}/uses`), styles]);
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const html = await answer.text();
  if (opener !== from || !from.isConnected) return; // another one was asked for by now
  menu.innerHTML = html;
  menu.showPopover({ source: from });
  menu.querySelector("a").focus();
}

document.addEventListener(
  "pointerdown",
  ({ target }) => (isClosing = menu.matches(":popover-open") && target.closest?.(".card-uses") === opener),
  true,
);
document.addEventListener("keydown", () => (isClosing = false), true);
menu.addEventListener("click", () => menu.hidePopover()); // one that is gone to and comes back finds it closed
menu.addEventListener("focusout", ({ relatedTarget }) => {
  if (relatedTarget && !menu.contains(relatedTarget)) menu.hidePopover();
});
document.addEventListener("htmx:after:swap", () => opener?.isConnected || menu.hidePopover());
