/** Shows a line at the top of the page while a request takes a moment, and says so when the server does not answer. */

import { say } from "./notice.js";

const PAUSE = 400; // milliseconds: an answer that comes sooner needs no sign
const SLOW = 6000; // milliseconds until it is said in words
const waits = new Map(); // what htmx knows of a request -> the timers that wait for its answer

document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  if (ctx.sourceElement.id === "live") return;
  const words = "The server has not answered yet. Still waiting.";
  waits.set(ctx, [
    setTimeout(() => (document.documentElement.dataset.busy = ""), PAUSE),
    setTimeout(() => say(words), SLOW),
  ]);
});

for (const name of ["htmx:finally:request", "htmx:after:request", "htmx:after:swap"]) {
  document.addEventListener(name, ({ detail }) => {
    for (const [ctx, timers] of waits) {
      // A request whose button is gone ends without an event that gets here.
      if (ctx !== detail.ctx && ctx.sourceElement.isConnected) continue;
      timers.forEach(clearTimeout);
      waits.delete(ctx);
    }
    if (!waits.size) delete document.documentElement.dataset.busy;
  });
}
