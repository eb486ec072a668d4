/** Tells CSS how high the bars at the bottom of the window are (`--bottom-bars`), so that nothing lies beneath them. */

const bars = document.getElementById("bottom-bars");

new ResizeObserver(([{ borderBoxSize }]) => {
  document.documentElement.style.setProperty("--bottom-bars", `${borderBoxSize[0].blockSize}px`);
}).observe(bars);
