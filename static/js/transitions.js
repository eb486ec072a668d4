/** Between the grid and a print's page, where the browser can: the picture that was clicked grows into the large one. */

const NAME = "print";

addEventListener("pageswap", ({ viewTransition, activation }) => {
  if (viewTransition) name(pictureFor(activation?.entry?.url), viewTransition);
});
addEventListener("pagereveal", ({ viewTransition }) => {
  if (viewTransition) name(pictureFor(window.navigation?.activation?.from?.url), viewTransition);
});

/** The picture here of the job whose page is at an address. On a job's page CSS has named it. */
function pictureFor(url = "") {
  const [, job] = /\/jobs\/([0-9a-f-]{36})/.exec(url) ?? [];
  return document.querySelector(".pswp__item:not([inert]) .pswp__img") ?? document.querySelector(`#job-${job} .card-picture`);
}

async function name(picture, transition) {
  if (picture) picture.style.viewTransitionName = NAME;
  await transition.finished.catch(() => undefined); // one that is skipped
  if (picture) picture.style.viewTransitionName = "";
}
