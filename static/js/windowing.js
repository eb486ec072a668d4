/**
 * Keeps only the cards near the viewport, with the headings of their days, in the document. A spacer of the same height
 * replaces rows far from it, which takes no layout and few elements. The same nodes return when the spacer nears the
 * viewport.
 *
 * Cards out of the document are still part of the sheet: `cards` yields them, and live events reach them by `emptied`.
 */

const FEW = 60; // cards that may all stay: a first page, because taking it apart costs a phone more than it saves
const FAR = 1.5; // window heights from the viewport beyond which rows are taken out
const NEAR = 1; // window heights within which they return
const RUN = 0.5; // window heights that a spacer replaces at least
const STEP = 0.2; // window heights scrolled before the rows are checked again
const SETTLED = 250; // milliseconds until the rows are checked again after a change, or when some are left

const runs = new Map(); // spacer -> the fragment with its cards
const away = new Map(); // id of each card in the fragments -> the card
let scale = 0; // pixels of height that a card of ratio 1 adds to the sheet; in a list, the height of a line
let arrangedAt = 0; // the scroll position at the last check
let scheduled = false;
let changed = null; // the timer that runs after a change

/** Yield all cards of this page in order, including those out of the document. */
export function* cards() {
  for (const element of document.querySelectorAll("#main .card, #main .sheet-spacer")) {
    if (runs.has(element)) yield* runs.get(element).querySelectorAll(".card");
    else yield element;
  }
}

/** Yield the headings of days in order, including those out of the document. */
export function* headings() {
  for (const element of document.querySelectorAll("#sheet > :is(.sheet-day, .sheet-spacer)")) {
    if (runs.has(element)) yield* runs.get(element).querySelectorAll(".sheet-day");
    else yield element;
  }
}

/** Return the card with this id if it is out of the document, else null. */
export function emptied(id) {
  prune();
  const card = away.get(id);
  return card && spacerOf(card) ? card : null;
}

/** Put a card back into the document. */
export function bring(card) {
  const spacer = spacerOf(card);
  if (spacer) fill(spacer);
}

/** Put the cards of a spacer back into the document. Returns whether the element is a spacer. */
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
  const rows = rowsOf(sheet); // all layout is read before anything changes
  rescale(sheet);
  const near = rows.filter(({ top, bottom, elements }) => runs.has(elements[0]) && !isBeyond(top, bottom, NEAR));
  const seen = near.filter(({ top, bottom }) => !isBeyond(top, bottom, 0));
  const far = sheet.querySelectorAll(":scope > .card").length + away.size > FEW ? farRuns(rows) : [];
  if (seen.length) for (const { elements } of seen) fill(elements[0]);
  else if (near.length) fill(near[0].elements[0]);
  else if (far.length) empty(far[0]);
  if (near.length + far.length > 1) later(); // one at a time: after a jump there are many
}

/** Return the rows of the sheet with their places in the viewport: rows of cards, headings, spacers, the links to more. */
function rowsOf(sheet) {
  const rows = [];
  for (const element of sheet.children) {
    const { top, bottom } = element.getBoundingClientRect();
    const row = rows.at(-1);
    if (!row || Math.abs(row.top - top) >= 1) rows.push({ top, bottom, elements: [element] });
    else {
      row.elements.push(element);
      row.bottom = Math.max(row.bottom, bottom); // a join above it has no height
    }
  }
  return rows;
}

/** Return far rows that follow each other, in runs tall enough to be worth a spacer. */
function farRuns(rows) {
  const found = [];
  let run = [];
  for (const row of rows.slice(0, -2)) { // the last row is incomplete, and the link to more may follow it
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

/** Return whether an element may leave the document. A card stays if it has the focus or if Tab reaches it. */
function mayLeave(element) {
  if (element.matches(".sheet-day, .sheet-break, .sheet-join")) return true;
  return element.matches(".card") && element.querySelector("a[id$='-link']")?.tabIndex === -1;
}

function empty(rows) {
  const elements = rows.flatMap((row) => row.elements);
  const spacer = Object.assign(document.createElement("div"), { className: "sheet-spacer" });
  const run = document.createDocumentFragment();
  spacer.style.height = `${rows.at(-1).bottom - rows[0].top}px`;
  elements[0].before(spacer);
  run.append(...elements);
  runs.set(spacer, run);
  for (const element of elements) if (element.matches(".card")) away.set(element.id, element);
}

/** Adjust the spacers to the width of the window and the size of prints, which change the height of rows. */
function rescale(sheet) {
  const card = sheet.querySelector(":scope > .card + .card"); // not the first of a day, which shares its room
  if (!card) return;
  const now = document.documentElement.dataset.layout === "list" ? card.offsetHeight : areaOf(card) / sheet.clientWidth;
  if (scale && now !== scale) {
    for (const spacer of runs.keys()) spacer.style.height = `${(parseFloat(spacer.style.height) * now) / scale}px`;
  }
  scale = now;
}

/** Return the square of the height that a row has before it is stretched. */
function areaOf(card) {
  const style = getComputedStyle(card);
  return (parseFloat(style.flexBasis) / style.getPropertyValue("--ratio")) ** 2;
}

function spacerOf(card) {
  return [...runs].find(([, run]) => run === card.parentNode)?.[0];
}

/** Forget the spacers of a sheet that another one has replaced. */
function prune() {
  for (const spacer of runs.keys()) if (!spacer.isConnected) forget(spacer);
}

function forget(spacer) {
  for (const { id } of runs.get(spacer).children) away.delete(id);
  runs.delete(spacer);
}
