/**
 * Applies live events together, at most once a frame: even a small swap has a fixed cost. In a flood the rest waits.
 *
 * An event carries the whole state of what it replaces, so only the last of several counts.
 *
 * Typing has priority: between two keystrokes the page changes once, after the first is painted and while none waits.
 */

const MOST = 9; // events per change: enough for sixty events a second between keystrokes
const DRAWN = 50; // milliseconds until a keystroke is painted
const PAUSE = 250; // milliseconds without a keystroke after which typing has ended
const LATE = 400; // milliseconds after which the page changes even during typing
const came = new Map(); // target of an event -> its stream and its text
let swapping = false;
let typed = -PAUSE;
let changed = 0;
let late = 0; // when the waiting events are applied even during typing

addEventListener("keydown", () => (typed = performance.now()), { capture: true });

document.addEventListener("htmx:sse:before:message", (event) => {
  const { data, event: name } = event.detail.message;
  if (name) return;
  event.preventDefault();
  const [target] = /hx-target="[^"]*"/.exec(data) ?? [data];
  came.delete(target);
  came.set(target, { stream: event.target, data });
  if (swapping) return;
  swapping = true;
  late = performance.now() + LATE;
  requestAnimationFrame(swap);
});

async function swap(now) {
  if (!mayChange(now)) {
    setTimeout(requestAnimationFrame, DRAWN / 2, swap);
    return;
  }
  changed = now;
  late = now + LATE;
  const next = [...came].slice(0, MOST);
  for (const [target] of next) came.delete(target);
  // What another sheet's stream told is over with that sheet.
  const alive = next.map(([, each]) => each).filter(({ stream }) => stream.isConnected);
  const text = alive.map(({ data }) => data).join("");
  const stream = alive[0]?.stream; // there is only one
  if (stream) await window.htmx.swap({ sourceElement: stream, target: stream, swap: "none", text });
  swapping = came.size > 0;
  if (swapping) requestAnimationFrame(swap);
}

function mayChange(now) {
  const since = now - typed;
  return since > PAUSE || (since > DRAWN && changed < typed) || now > late;
}
