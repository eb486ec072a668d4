/** Return whether a click is a plain one that nothing has handled: with a key held, it is the browser's own. */
export function isPlain(event) {
  const modified = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  return event.button === 0 && !modified && !event.defaultPrevented;
}
