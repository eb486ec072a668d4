/**
 * Marks the sheet while the page scrolls: a card that passes under the pointer would show its words and marks for a
 * moment, which costs more than scrolling. See css/marks.css.
 */

const STILL = 200; // milliseconds after the last scroll event
let timer;

addEventListener(
  "scroll",
  () => {
    clearTimeout(timer);
    timer = setTimeout(tell, STILL, false);
    tell(true);
  },
  { passive: true },
);

function tell(scrolls) {
  document.getElementById("sheet")?.toggleAttribute("data-scrolling", scrolls);
}
