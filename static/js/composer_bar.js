/**
 * Docks the composer at the bottom of the window while its place at the head of the page is out of view, on phones
 * always, and opens it while it is used. Closed, it is a bar of prompt, model and button.
 *
 * It is the same form in each place and shape: css/composer_bar.css moves it by attributes of its place, which keeps its
 * height, so that nothing else on the page moves.
 */

const place = document.getElementById("composer-place");
const seat = document.getElementById("composer-seat");
const narrow = matchMedia("(width < 44rem)");
const SEND = ".composer-send .button";
let away = false; // whether the place is out of view
let pressed = false; // whether a pointer is down in the composer: until its click, nothing moves beneath it
let quiet = false; // whether the focus is moved by this script

const prompt = () => document.getElementById("prompt");
const isOpen = () => place.hasAttribute("data-open");

function open() {
  place.toggleAttribute("data-open", true);
}

/** Close the composer. A focus in what is hidden then moves to the prompt. */
function close() {
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  place.toggleAttribute("data-open", false);
  prompt().scrollTop = 0;
  if (focused && !focused.offsetParent) focus();
  settle();
}

function focus() {
  quiet = true;
  prompt().focus({ preventScroll: true });
  quiet = false;
}

/** Dock the composer, or put it back to its place. An open one stays where it is. */
function settle() {
  if (isOpen()) return;
  place.toggleAttribute("data-docked", away);
  seat.hidden = !away && !narrow.matches;
}

if (place) {
  new IntersectionObserver((entries) => {
    const { isIntersecting, boundingClientRect } = entries.at(-1);
    away = !isIntersecting && boundingClientRect.top < 0;
    if (away && isOpen() && !narrow.matches && !place.hasAttribute("data-docked")) close();
    else settle();
  }).observe(place);
  narrow.addEventListener("change", settle);
  settle();

  document.addEventListener("focusin", ({ target }) => {
    if (place.contains(target) && !target.matches(SEND) && !pressed && !quiet) open();
  });
  document.addEventListener("focusout", ({ target, relatedTarget }) => {
    if (isOpen() && relatedTarget && place.contains(target) && !place.contains(relatedTarget)) close();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    pressed = place.contains(target);
    if (!pressed && isOpen()) close();
  });
  document.addEventListener("pointercancel", () => (pressed = false));
  document.addEventListener("click", ({ target }) => {
    pressed = false;
    if (place.contains(target) && !target.closest(SEND)) open();
  });
  // What scripts fill in does not open it.
  document.addEventListener("input", ({ target, isTrusted }) => isTrusted && place.contains(target) && open());

  document.addEventListener("keydown", (event) => {
    pressed = false;
    if (event.key !== "Escape" || !isOpen() || !place.contains(event.target)) return;
    if (place.querySelector("[aria-expanded='true'], #prompts:not([hidden])")) return; // it closes a list
    event.preventDefault();
    close();
  });

  document.addEventListener("htmx:after:swap", ({ detail }) => {
    const { sourceElement, response } = detail.ctx ?? {};
    if (sourceElement?.id !== "composer") return;
    if (response?.status >= 400) open(); // before js/composer.js focuses the fault
    else close(); // it covers where the new card appears
  });
  document.addEventListener("composer:given", open);

  if (isOpen()) {
    focus();
    prompt().setSelectionRange(prompt().value.length, prompt().value.length);
  } else if (place.contains(document.activeElement)) open();

  for (const name of ["resize", "scroll"]) window.visualViewport?.addEventListener(name, lift);
}

/** Keep the docked composer above a keyboard that covers the page instead of making it smaller. */
function lift() {
  const { height, offsetTop, scale } = window.visualViewport;
  const covered = scale > 1 ? 0 : Math.max(0, Math.round(innerHeight - height - offsetTop)); // zoomed, nothing is covered
  place.style.setProperty("--keyboard", `${covered}px`);
}
