/** Lets only one video or sound play at a time. */

document.addEventListener(
  "play",
  ({ target }) => {
    for (const other of document.querySelectorAll("video, audio")) if (other !== target) other.pause();
  },
  true, // media events do not bubble
);
