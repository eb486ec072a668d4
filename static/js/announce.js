/** Announces ended prints politely to screen readers, several at once and at most every few seconds. */

const PAUSE = 4000;
const ended = new Map();
let timer = 0;

document.addEventListener("htmx:before:swap", ({ detail }) => {
  for (const { target, fragment } of detail.tasks) {
    const after = fragment?.firstElementChild?.dataset.status;
    if (!target?.dataset?.status || target.dataset.status === after) continue;
    if (after === "completed" || after === "failed") ended.set(target.id, after);
  }
  if (ended.size) timer ||= setTimeout(announce, PAUSE / 4);
});

function announce() {
  const outcomes = [...ended.values()];
  const done = outcomes.filter((outcome) => outcome === "completed").length;
  const failed = outcomes.length - done;
  const sentence = [done && count(done, "finished"), failed && count(failed, "failed")].filter(Boolean).join(", ");
  document.getElementById("announcements").textContent = sentence;
  ended.clear();
  timer = setTimeout(() => {
    timer = 0;
    if (ended.size) announce();
  }, PAUSE);
}

function count(number, what) {
  return `${number} ${number === 1 ? "print" : "prints"} ${what}`;
}
