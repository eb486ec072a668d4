/**
 * Counts finished prints in the title of a hidden tab, and shows system notifications if the user has turned them on.
 * A hidden tab keeps no stream open, so it polls.
 */

import { checkSession } from "../session.js";

const EVERY = 15_000;
const OVERLAP = 5_000; // requested again each time: a finished job may be committed a little later
const WISH = "darkroom-notifications";

const counted = new Set();
let left = ""; // when one looked away, by the server's clock: what was finished before was seen
let until = "";
let timer = 0;

document.addEventListener("visibilitychange", () => (document.hidden ? leave() : comeBack()));
if (document.hidden) leave();

export function notificationSwitch() {
  const label = document.createElement("label");
  const box = Object.assign(document.createElement("input"), { type: "checkbox", id: "notifications" });
  const words = Object.assign(document.createElement("span"), { textContent: "Notify me about finished prints while this tab is hidden" });
  const note = Object.assign(document.createElement("span"), { className: "help-note", id: "notifications-note" });
  label.className = "help-switch";
  box.setAttribute("role", "switch");
  box.setAttribute("aria-describedby", note.id);
  note.setAttribute("role", "status");
  box.checked = isWished();
  box.addEventListener("change", async () => {
    const wished = box.checked && (await isPermitted());
    if (box.checked && !wished) note.textContent = "This browser does not allow notifications from this site.";
    box.checked = wished;
    localStorage.setItem(WISH, wished ? "yes" : "no");
  });
  label.append(box, words, note);
  return label;
}

function isWished() {
  return localStorage.getItem(WISH) === "yes" && window.Notification?.permission === "granted";
}

async function isPermitted() {
  return (await window.Notification?.requestPermission()) === "granted";
}

function leave() {
  counted.clear();
  left = until = "";
  look();
}

function comeBack() {
  clearTimeout(timer);
  counted.clear();
  document.title = bare(document.title);
}

async function look() {
  clearTimeout(timer);
  timer = setTimeout(look, EVERY);
  const since = until && new Date(Math.max(Date.parse(until) - OVERLAP, Date.parse(left))).toISOString();
  const answer = await fetch(`/finished.json${since ? `?since=${encodeURIComponent(since)}` : ""}`).then(checkSession).catch(() => null);
  if (!answer?.ok || !document.hidden) return; // the timer polls again
  const told = await answer.json();
  until = told.until;
  left ||= until;
  count(told.finished);
}

function count(finished) {
  const fresh = finished.filter(({ job_id }) => !counted.has(job_id));
  if (!fresh.length || !document.hidden) return;
  for (const { job_id } of fresh) counted.add(job_id);
  document.title = `(${counted.size}) ${bare(document.title)}`;
  if (!isWished()) return;
  const title = counted.size === 1 ? "A print is finished" : `${counted.size} prints are finished`;
  const note = new Notification(title, { body: fresh.at(-1).prompt, tag: "darkroom-finished" }); // one for all tabs
  note.onclick = () => {
    window.focus();
    note.close();
  };
}

function bare(title) {
  return title.replace(/^\(\d+\) /, "");
}
