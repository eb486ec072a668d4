/** Tells how high the bars at the bottom of the window are, so that what scrolls or floats there stays above them. */

const bars = document.getElementById("bottom-bars");

new ResizeObserver(() => {
  const height = `${bars.offsetHeight}px`;
  const { style } = document.documentElement;
  if (style.getPropertyValue("--bottom-bar") !== height) style.setProperty("--bottom-bar", height);
}).observe(bars);
