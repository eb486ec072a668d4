/**
 * Applies what is chosen in the menu "View", and keeps it in the cookie from which the server renders pages. Another size
 * shows at once; another layout or theme is a page of its own, which the place in the address leads back to.
 */

import { cards } from "./windowing.js";

const COOKIE = "darkroom-view";
const YEAR = 31_536_000; // seconds

document.addEventListener("change", ({ target }) => {
  const form = target.closest("#view-form");
  if (!form) return;
  const { size, layout, theme } = Object.fromEntries(new FormData(form));
  document.cookie = `${COOKIE}=${size}.${layout}.${theme}; path=/; max-age=${YEAR}; samesite=lax`;
  if (target.name === "size") resize(size);
  else location.reload();
});

/** Change the size of prints. The first one in view stays where it is. */
function resize(size) {
  const first = scrollY > 0 && [...cards()].find((card) => card.isConnected && card.getBoundingClientRect().bottom > 0);
  const top = first && first.getBoundingClientRect().top;
  document.documentElement.dataset.size = size;
  dispatchEvent(new Event("resize")); // windowing.js measures the rows again in the next frame, and then it is our turn
  if (first) requestAnimationFrame(() => scrollBy({ top: first.getBoundingClientRect().top - top, behavior: "instant" }));
}
