/** Lets only one video or sound be heard at a time. What is muted does not count. */

document.addEventListener(
  "play",
  ({ target }) => {
    if (target.muted) return;
    for (const other of document.querySelectorAll("video, audio")) if (other !== target && !other.muted) other.pause();
  },
  true, // media events do not bubble
);
