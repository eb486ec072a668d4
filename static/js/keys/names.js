/** What is written on this machine's keys. */

const apple = /Mac|iPhone|iPad/.test(navigator.platform);

export const DEVELOP = apple ? "⌘ Return" : "Ctrl Enter";
export const ALT = apple ? "⌥" : "Alt";
