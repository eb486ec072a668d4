/** Shows in the top bar that the live stream is lost, until it returns. */

const PATIENCE = 1500; // milliseconds: a stream that returns sooner (a tab woken up) is not reported
let timer = 0;

function lost() {
  timer ||= setTimeout(() => say("Reconnecting..."), PATIENCE);
}

function found() {
  clearTimeout(timer);
  timer = 0;
  say("");
}

function say(words) {
  const note = document.getElementById("connection");
  if (note.textContent !== words) note.textContent = words;
}

document.addEventListener("htmx:sse:error", lost);
document.addEventListener("htmx:sse:before:connection", ({ detail }) => detail.connection.attempt > 0 && lost());
document.addEventListener("htmx:sse:after:connection", found);
for (const name of ["htmx:error", "htmx:response:error"]) {
  document.addEventListener(name, ({ detail }) => detail.ctx?.sourceElement?.id === "live" && lost());
}
