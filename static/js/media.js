/** Lets only one video or sound be heard at a time. What is muted does not count. */

for (const name of ["play", "volumechange"]) document.addEventListener(name, hush, true); // these do not bubble

function hush({ target }) {
  if (target.muted || target.paused) return;
  for (const other of document.querySelectorAll("video, audio")) if (other !== target && !other.muted) other.pause();
}
