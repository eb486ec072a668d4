/** Names the keys as this machine's keyboard does. */

const apple = /Mac|iPhone|iPad/.test(navigator.platform);

export const GENERATE = apple ? "⌘ Return" : "Ctrl Enter";
