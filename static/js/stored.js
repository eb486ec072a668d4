/** Keeps values as JSON in this browser, or in this tab. A browser that keeps nothing forgets them with the page. */

/** Keep a value under a key, or nothing for null. storage: "localStorage" or "sessionStorage". */
export function store(storage, key, value) {
  try {
    if (value === null) window[storage].removeItem(key);
    else window[storage].setItem(key, JSON.stringify(value));
  } catch {
    // full, or not allowed
  }
}

/** Return what is kept under a key, else null. */
export function stored(storage, key) {
  try {
    return JSON.parse(window[storage].getItem(key));
  } catch {
    return null; // not allowed, or not ours
  }
}
