/**
 * Tells the style sheet that the page scrolls: a card that runs under the pointer would bring out its words and marks for a
 * moment, which costs more than to scroll. See css/marks.css.
 */

const STILL = 200; // milliseconds after the last move
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
