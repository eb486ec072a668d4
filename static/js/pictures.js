/** Loads pictures again that failed to load, such as those of a moment without a network: once, when it is back. */

import { cards } from "./windowing.js";

let lost = false;

addEventListener("offline", () => (lost = true));
addEventListener("online", again);
document.addEventListener("htmx:sse:before:connection", ({ detail }) => (lost ||= detail.connection.attempt > 0));
document.addEventListener("htmx:sse:after:connection", () => lost && again());

function again() {
  lost = false;
  for (const place of [...cards(), document.getElementById("main")]) {
    for (const picture of place.querySelectorAll("img")) {
      // A picture that is not to be loaded yet is not complete. The same address, set again, is fetched again.
      if (picture.complete && !picture.naturalWidth && picture.currentSrc) picture.src = picture.getAttribute("src");
    }
  }
}
