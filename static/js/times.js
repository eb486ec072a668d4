/**
 * Keeps the times on the page current: "3 min ago" keeps counting, and clock times are in the reader's time zone. What
 * is under the pointer says its exact time.
 */

const STYLES = { local: { dateStyle: "medium", timeStyle: "medium" }, clock: { timeStyle: "medium" } };
const formats = {}; // by style, each made on first use: that takes a phone long
const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];

const SPEAK = {
  ago: (moment) => ago((Date.now() - moment) / 1000),
  until: (moment) => until((moment - Date.now()) / 1000),
  about: (moment) => about((moment - Date.now()) / 1000),
  soFar: (moment) => soFar((Date.now() - moment) / 1000),
  local: (moment) => formatted("local", moment),
  clock: (moment) => formatted("clock", moment),
};

function formatted(style, moment) {
  formats[style] ??= new Intl.DateTimeFormat(undefined, STYLES[style]);
  return formats[style].format(moment);
}

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
  }
}

document.addEventListener("pointerover", ({ target }) => {
  const element = target.closest?.("time[data-time]");
  if (element) element.title ||= SPEAK.local(new Date(element.dateTime));
});

document.addEventListener("htmx:after:swap", tell);
setInterval(() => document.hidden || tell(), 1000);
tell();
