/** Keeps the times on the page current: "3 min ago" keeps counting, and clock times are in the reader's time zone. */

const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];

const SPEAK = {
  ago: (moment) => ago((Date.now() - moment) / 1000),
  until: (moment) => until((moment - Date.now()) / 1000),
  about: (moment) => about((moment - Date.now()) / 1000),
  soFar: (moment) => soFar((Date.now() - moment) / 1000),
  local: (moment) => date.format(moment),
  clock: (moment) => clock.format(moment),
};

function ago(seconds) {
  const [unit, size] = UNITS.find(([, least]) => seconds >= least) ?? [];
  return unit ? `${Math.floor(seconds / size)} ${unit} ago` : "just now";
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
    if (!element.title) element.title = date.format(moment);
  }
}

document.addEventListener("htmx:after:swap", tell);
setInterval(() => document.hidden || tell(), 1000);
tell();
