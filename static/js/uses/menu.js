/**
 * Shows the menu of what a result can be used for. There is one menu, in the top layer: no card clips it, and it stays
 * when a card is replaced. css/uses.css positions it; the browser handles Escape and clicks outside.
 */

import { styled } from "../styled.js";

const styles = styled("uses");
const menu = document.createElement("div");
let opener = null;
let isClosing = false; // whether a press on the opener has already closed it

Object.assign(menu, { className: "uses-menu", id: "uses-menu", popover: "auto", role: "dialog", ariaLabel: "Use this print" });
document.body.append(menu);

/** Open the menu at its opener. Rejects when it cannot be fetched. */
export async function open(from) {
  if (isClosing) return;
  opener = from;
  const output = from.dataset.output ? `?output=${from.dataset.output}` : "";
  const [answer] = await Promise.all([fetch(`/jobs/${from.closest(".card").id.slice("job-".length)}/uses${output}`), styles]);
  if (answer.status === 401) return document.dispatchEvent(new Event("session:ended"));
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const html = await answer.text();
  if (opener !== from || !from.isConnected) return; // another one was requested meanwhile
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
menu.addEventListener("click", () => menu.hidePopover()); // a user who comes back from a link finds it closed
menu.addEventListener("focusout", ({ relatedTarget }) => {
  if (relatedTarget && !menu.contains(relatedTarget)) menu.hidePopover();
});
document.addEventListener("htmx:after:swap", () => opener?.isConnected || menu.hidePopover());
