/**
 * Live events change the page at most once a frame, and then together: a swap has its price however little it brings. What
 * comes in a flood waits its turn, and a letter that is typed comes first. An event carries the whole state of what it
 * replaces, so of several only the last counts.
 */

const MOST = 3; // events of a frame
const came = new Map(); // the target of an event -> its stream and its text
let swapping = false;
let typed = false; // since the last frame

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

addEventListener("keydown", () => (typed = true), { capture: true });

async function swap() {
  if (typed) { // this frame is the letter's
    typed = false;
    requestAnimationFrame(swap);
    return;
  }
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
