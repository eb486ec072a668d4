/**
 * Keeps in the document only what is near the view. Rows of cards far from it give way to a spacer of their height, which
 * takes no layout and few elements; they come back, the same nodes, as it nears the view.
 *
 * What is out of the document is still a part of the sheet: `cards` has it, live events reach it through `emptied`.
 */

const FAR = 1.5; // heights of the window from the view, beyond which rows are taken out
const NEAR = 1; // within which they come back
const RUN = 0.5; // what a spacer replaces at least
const STEP = 0.2; // of the way that is scrolled before the rows are looked at again
const SETTLED = 250; // milliseconds until the rows are looked at again after a change, or when some are left

const runs = new Map(); // a spacer -> the fragment with its cards
const away = new Map(); // the id of each card in them -> the card
let scale = 0; // pixels of height that a card of ratio 1 adds to the sheet
let arrangedAt = 0; // where the page was scrolled to, the last time
let scheduled = false;
let changed = null; // the timer of a change

/** All cards of this page in their order, those out of the document as well. */
export function* cards() {
  for (const element of document.querySelectorAll("#main .card, #main .sheet-spacer")) {
    if (runs.has(element)) yield* runs.get(element).children;
    else yield element;
  }
}

/** The card with this id, if it is out of the document. */
export function emptied(id) {
  prune();
  const card = away.get(id);
  return card && spacerOf(card) ? card : null;
}

/** Has a card back in the document. */
export function bring(card) {
  const spacer = spacerOf(card);
  if (spacer) fill(spacer);
}

/** Has the cards back that a spacer stands for. Answers whether it is one. */
export function fill(spacer) {
  const run = runs.get(spacer);
  if (!run) return false;
  forget(spacer);
  spacer.replaceWith(run);
  return true;
}

addEventListener("resize", schedule);
addEventListener("scroll", () => Math.abs(scrollY - arrangedAt) > STEP * innerHeight && schedule(), { passive: true });
document.addEventListener("htmx:after:swap", later);
schedule();

function later() {
  changed ??= setTimeout(schedule, SETTLED);
}

function schedule() {
  if (!scheduled) requestAnimationFrame(arrange);
  scheduled = true;
}

function arrange() {
  scheduled = false;
  clearTimeout(changed);
  changed = null;
  arrangedAt = scrollY;
  prune();
  const sheet = document.getElementById("sheet");
  if (!sheet) return;
  const rows = rowsOf(sheet); // all is read before anything is changed
  rescale(sheet);
  const near = rows.filter(({ top, bottom, elements }) => runs.has(elements[0]) && !isBeyond(top, bottom, NEAR));
  const seen = near.filter(({ top, bottom }) => !isBeyond(top, bottom, 0));
  const far = farRuns(rows);
  if (seen.length) for (const { elements } of seen) fill(elements[0]);
  else if (near.length) fill(near[0].elements[0]);
  else if (far.length) empty(far[0]);
  if (near.length + far.length > 1) later(); // one by one: after a jump there are many
}

/** What stands below one another, with its place in the view: rows of cards, spacers, the link to more. */
function rowsOf(sheet) {
  const rows = [];
  for (const element of sheet.children) {
    const { top, bottom } = element.getBoundingClientRect();
    if (rows.length && Math.abs(rows.at(-1).top - top) < 1) rows.at(-1).elements.push(element);
    else rows.push({ top, bottom, elements: [element] });
  }
  return rows;
}

/** Far rows that follow each other, in runs that are tall enough to be worth a spacer. */
function farRuns(rows) {
  const found = [];
  let run = [];
  for (const row of rows.slice(0, -2)) { // the last row is not whole, and the link to more may stand below it
    if (isBeyond(row.top, row.bottom, FAR) && row.elements.every(mayLeave)) run.push(row);
    else run = [];
    if (!run.length || run.at(-1).bottom - run[0].top < RUN * innerHeight) continue;
    found.push(run);
    run = [];
  }
  return found;
}

function isBeyond(top, bottom, heights) {
  return bottom < -heights * innerHeight || top > (1 + heights) * innerHeight;
}

/** What has the focus, or what Tab comes to, stays; so does what plays. */
function mayLeave(element) {
  if (!element.matches(".card") || element.querySelector("a[id$='-link']")?.tabIndex !== -1) return false;
  return ![...element.querySelectorAll("video, audio")].some(({ paused }) => !paused);
}

function empty(rows) {
  const elements = rows.flatMap((row) => row.elements);
  const spacer = Object.assign(document.createElement("div"), { className: "sheet-spacer" });
  const run = document.createDocumentFragment();
  spacer.style.height = `${rows.at(-1).bottom - rows[0].top}px`;
  elements[0].before(spacer);
  run.append(...elements);
  runs.set(spacer, run);
  for (const card of elements) away.set(card.id, card);
}

/** In a wider or narrower window rows have other heights. */
function rescale(sheet) {
  const card = sheet.querySelector(":scope > .card");
  if (!card) return;
  const style = getComputedStyle(card);
  const row = parseFloat(style.flexBasis) / style.getPropertyValue("--ratio");
  const now = row ** 2 / sheet.clientWidth;
  if (scale && now !== scale) {
    for (const spacer of runs.keys()) spacer.style.height = `${(parseFloat(spacer.style.height) * now) / scale}px`;
  }
  scale = now;
}

function spacerOf(card) {
  return [...runs].find(([, run]) => run === card.parentNode)?.[0];
}

/** Another sheet has taken the place of the one with these spacers. */
function prune() {
  for (const spacer of runs.keys()) if (!spacer.isConnected) forget(spacer);
}

function forget(spacer) {
  for (const { id } of runs.get(spacer).children) away.delete(id);
  runs.delete(spacer);
}
