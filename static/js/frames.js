/**
 * Live events change the page at most once a frame, and then together: a swap has its price however little it brings. What
 * comes in a flood waits its turn. An event carries the whole state of what it replaces, so of several only the last counts.
 *
 * Letters come first: from one to the next the page changes once, when the first has been drawn and none waits yet.
 */

const MOST = 9; // events of a change: with these sixty a second come through between letters
const DRAWN = 50; // milliseconds in which a letter is on the screen
const PAUSE = 250; // milliseconds without a letter after which nobody types
const LATE = 400; // milliseconds after which the page changes whoever types
const came = new Map(); // the target of an event -> its stream and its text
let swapping = false;
let typed = -PAUSE;
let changed = 0;
let late = 0; // when what waits has waited long enough

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
  const stream = alive[0]?.stream; // there is one
  if (stream) await window.htmx.swap({ sourceElement: stream, target: stream, swap: "none", text });
  swapping = came.size > 0;
  if (swapping) requestAnimationFrame(swap);
}

function mayChange(now) {
  const since = now - typed;
  return since > PAUSE || (since > DRAWN && changed < typed) || now > late;
}
