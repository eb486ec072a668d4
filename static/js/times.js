/**
 * Keeps the times on the page current: "3 min ago" keeps counting, and clock times are in the reader's time zone. All are
 * written as the server does (webapp/render/templates.py), so that nothing changes before the eyes. What is under the
 * pointer says its exact time.
 */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const SPEAK = {
  ago: (moment) => ago((Date.now() - moment) / 1000, moment),
  until: (moment) => until((moment - Date.now()) / 1000),
  about: (moment) => about((moment - Date.now()) / 1000),
  soFar: (moment) => soFar((Date.now() - moment) / 1000),
  local: (moment) => `${day(moment)}, ${clock(moment)}`,
  clock,
};

const day = (moment) => `${moment.getDate()} ${MONTHS[moment.getMonth()]} ${moment.getFullYear()}`;

function clock(moment) {
  return [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

function ago(seconds, moment) {
  if (seconds < 45) return "just now";
  if (seconds < 3600 * 0.9) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 86400 * 0.9) return `${Math.max(1, Math.round(seconds / 3600))} h ago`;
  const days = Math.max(1, Math.round(seconds / 86400));
  return days < 14 ? `${days} day${days > 1 ? "s" : ""} ago` : day(moment);
}

function until(seconds) {
  if (seconds < 1) return "now";
  return seconds < 60 ? `in ${Math.ceil(seconds)} s` : `in ${Math.ceil(seconds / 60)} min`;
}

/** Return a rough estimate, or "" when it is too soon to say: CSS hides the words around an empty time. */
function about(seconds) {
  if (seconds < 5) return "";
  if (seconds <= 55) return `in about ${Math.ceil(seconds / 5) * 5} s`;
  const [unit, size] = seconds < 3600 * 0.9 ? ["min", 60] : ["h", 3600];
  return `in about ${Math.max(1, Math.round(seconds / size))} ${unit}`;
}

/** Return the time so far, or "" in the first seconds, which a warm model takes too. */
function soFar(seconds) {
  if (seconds < 10) return "";
  return seconds < 60 ? `${Math.floor(seconds)} s so far` : `${Math.floor(seconds / 60)} min so far`;
}

function tell() {
  for (const element of document.querySelectorAll("time[data-time]")) {
    const moment = new Date(element.dateTime);
    const text = SPEAK[element.dataset.time](moment);
    if (element.textContent !== text) element.textContent = text;
  }
}

document.addEventListener("pointerover", ({ target }) => {
  const element = target.closest?.("time[data-time]");
  if (element) element.title ||= SPEAK.local(new Date(element.dateTime));
});

document.addEventListener("htmx:after:swap", tell);
setInterval(() => document.hidden || tell(), 1000);
tell();
