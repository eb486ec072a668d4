/**
 * Reloads the page when the session has ended: the server then leads to the page where one signs in, and back. A script
 * that learns of it by a response of its own dispatches `session:ended`.
 *
 * htmx would follow the server's HX-Redirect, but a stream that reconnects would try for ever.
 */

const ENDED = 401;
let leaves = false;

const say = () => document.dispatchEvent(new Event("session:ended"));

document.addEventListener("htmx:before:response", (event) => {
  if (event.detail.ctx.response.status !== ENDED) return;
  event.preventDefault();
  say();
});
document.addEventListener("htmx:sse:error", ({ detail }) => detail.status === ENDED && say());

document.addEventListener("session:ended", () => {
  if (leaves) return;
  leaves = true;
  setTimeout(() => location.reload()); // after all that is to be kept has been
});

/** Return a response, and say so when the session has ended. */
export function checkSession(response) {
  if (response.status === ENDED) say();
  return response;
}
