/**
 * Live events change the page at most once a frame, and take only a share of it: what comes in a flood waits its turn. An
 * event carries the whole state of what it replaces, so of several only the last counts.
 */

const SHARE = 8; // milliseconds of a frame
const came = new Map(); // the target of an event -> its stream and its text
let swapping = false;

document.addEventListener("htmx:sse:before:message", (event) => {
  const { data, event: name } = event.detail.message;
  if (name) return;
  event.preventDefault();
  const [target] = /hx-target="[^"]*"/.exec(data) ?? [data];
  came.delete(target);
  came.set(target, { stream: event.target, data });
  if (!swapping) requestAnimationFrame(swap);
  swapping = true;
});

async function swap() {
  const until = performance.now() + SHARE;
  for (const [target, { stream, data }] of came) {
    came.delete(target);
    // What another sheet's stream told is over with that sheet.
    if (stream.isConnected) await window.htmx.swap({ sourceElement: stream, target: stream, swap: "none", text: data });
    if (performance.now() > until) break;
  }
  swapping = came.size > 0;
  if (swapping) requestAnimationFrame(swap);
}
