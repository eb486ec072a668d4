/**
 * Plays the sounds of a page, one at a time, in the player at its bottom, which goes on while searches and pages of the
 * gallery replace each other. A full load of a page ends it: the player then offers to go on, in this tab.
 *
 * A sound on a card, in the lightbox or on a print's page is drawn by components/sound.html; what is played is shown on
 * all drawings of it, and on that of the player itself.
 */

import { isPlain } from "./clicks.js";
import { store, stored } from "./stored.js";

const PLAYING_KEY = "darkroom:playing";

const bar = document.getElementById("player");
const own = bar.querySelector(".sound");
const audio = bar.querySelector("audio");

let playing = null; // the sound in the player: source, job, title, wave, box, seconds
let told = new Set(); // drawings that show how far it is

document.addEventListener("click", ({ target }) => {
  const button = target.closest?.(".sound-play");
  if (button) toggle(button.closest(".sound"));
});

document.addEventListener("input", ({ target }) => {
  if (target.matches?.(".sound-seek")) seek(target.closest(".sound"), Number(target.value));
});

document.addEventListener("keydown", (event) => {
  if (event.key !== " " || !event.target.matches?.(".sound-seek")) return;
  event.preventDefault();
  toggle(event.target.closest(".sound"));
});

document.getElementById("player-close").addEventListener("click", close);

// Where the sound has a card, its title opens the lightbox over this page, so that it plays on.
document.getElementById("player-title").addEventListener("click", (event) => {
  const link = document.getElementById(`job-${playing.job}-link`);
  if (!link || !isPlain(event)) return;
  event.preventDefault();
  link.click();
});

for (const name of ["play", "pause", "timeupdate", "seeked", "loadedmetadata", "ended"]) audio.addEventListener(name, show);
audio.addEventListener("error", () => playing && say("This sound cannot be played."));
document.addEventListener("htmx:after:swap", show);
addEventListener("pagehide", leave);
addEventListener("pageshow", ({ persisted }) => persisted && show());
restore();

function toggle(sound) {
  if (sound.dataset.sound !== playing?.source) load(read(sound));
  if (audio.paused) play();
  else audio.pause();
}

/** Go to a place, in seconds. A sound that is not in the player yet begins there. */
function seek(sound, seconds) {
  const other = sound.dataset.sound !== playing?.source;
  if (other) load(read(sound));
  audio.currentTime = seconds;
  if (other) play();
  else show();
}

function play() {
  audio.play().catch(() => undefined); // it was paused at once, or cannot be loaded: "error"
}

function read(sound) {
  const wave = sound.querySelector(".wave");
  return {
    source: sound.dataset.sound,
    job: sound.dataset.job,
    title: sound.dataset.title,
    wave: wave.firstElementChild.getAttribute("d"),
    box: wave.getAttribute("viewBox"),
    seconds: Number(sound.querySelector(".sound-seek").max),
  };
}

/** Put a sound into the player. */
function load(sound) {
  playing = sound;
  draw(own, sound);
  const link = document.getElementById("player-title");
  link.href = `/jobs/${sound.job}`;
  link.textContent = sound.title;
  bar.hidden = false;
  audio.src = sound.source;
  show();
}

/** Return a new drawing of a sound, which is told like the others. */
export function drawn(sound) {
  const drawing = own.cloneNode(true);
  for (const element of [drawing, ...drawing.querySelectorAll("[id]")]) element.removeAttribute("id");
  draw(drawing, sound);
  if (sound.source !== playing?.source) return drawing;
  told.add(drawing);
  tell(drawing);
  return drawing;
}

function draw(drawing, { source, job, title, wave, box, seconds }) {
  Object.assign(drawing.dataset, { sound: source, job, title });
  drawing.classList.remove("is-playing");
  drawing.querySelector(".wave-played")?.remove();
  const shape = drawing.querySelector(".wave");
  shape.setAttribute("viewBox", box);
  shape.firstElementChild.setAttribute("d", wave);
  const range = drawing.querySelector(".sound-seek");
  range.max = seconds;
  range.value = 0;
  range.setAttribute("aria-label", `Position: ${title}`);
  drawing.querySelector(".sound-play").setAttribute("aria-label", `Play: ${title}`);
  drawing.querySelector(".sound-time").textContent = clock(seconds);
}

function close() {
  const hadFocus = bar.contains(document.activeElement);
  audio.pause();
  audio.removeAttribute("src");
  audio.load();
  playing = null;
  show();
  bar.hidden = true;
  if (hadFocus) document.getElementById("main").focus({ preventScroll: true });
}

/** Show on every drawing of what plays how far it is, and take that from the others. */
function show() {
  const now = new Set(playing ? document.querySelectorAll(`.sound[data-sound="${CSS.escape(playing.source)}"]`) : []);
  for (const drawing of told) if (!now.has(drawing)) reset(drawing);
  for (const drawing of now) tell(drawing);
  told = now;
}

function tell(drawing) {
  const { currentTime: at, paused } = audio;
  const length = Number.isFinite(audio.duration) ? audio.duration : playing.seconds;
  const range = drawing.querySelector(".sound-seek");
  if (!drawing.querySelector(".wave-played")) {
    const played = drawing.querySelector(".wave").cloneNode(true);
    played.classList.add("wave-played");
    range.before(played);
  }
  drawing.classList.toggle("is-playing", !paused);
  drawing.querySelector(".sound-wave").style.setProperty("--played", `${(100 * at) / length}%`);
  range.max = length;
  range.value = at;
  range.setAttribute("aria-valuetext", `${clock(at)} of ${clock(length)}`);
  drawing.querySelector(".sound-play").setAttribute("aria-label", `${paused ? "Play" : "Pause"}: ${playing.title}`);
  const words = drawing === own ? `${clock(at)} / ${clock(length)}` : clock(at || length);
  const time = drawing.querySelector(".sound-time");
  if (time.textContent !== words) time.textContent = words;
}

function reset(drawing) {
  if (drawing === own) return; // the player shows another sound by now, or is hidden
  drawing.querySelector(".wave-played")?.remove();
  drawing.classList.remove("is-playing");
  const range = drawing.querySelector(".sound-seek");
  range.value = 0;
  range.removeAttribute("aria-valuetext");
  drawing.querySelector(".sound-play").setAttribute("aria-label", `Play: ${drawing.dataset.title}`);
  drawing.querySelector(".sound-time").textContent = clock(range.max);
}

/** Return seconds as "0:05" or "1:02:03". */
function clock(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, String(whole % 60).padStart(2, "0")];
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

function say(words) {
  document.getElementById("announcements").textContent = words;
}

function leave() {
  store("sessionStorage", PLAYING_KEY, playing && { ...playing, at: audio.currentTime });
}

function restore() {
  const left = stored("sessionStorage", PLAYING_KEY);
  if (!left) return;
  load(left);
  audio.currentTime = left.at; // without a source that is loaded: where playing begins
  show();
}
