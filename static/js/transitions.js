/** Makes the clicked picture grow into the large one between grid and print page, where the browser can. */

const NAME = "print";

addEventListener("pageswap", ({ viewTransition, activation }) => {
  if (viewTransition) name(pictureFor(activation?.entry?.url), viewTransition);
});
addEventListener("pagereveal", ({ viewTransition }) => {
  if (viewTransition) name(pictureFor(window.navigation?.activation?.from?.url), viewTransition);
});

/** Return this page's picture of the job that an address belongs to. On a job's page CSS has named it. */
function pictureFor(url = "") {
  const [, job] = /\/jobs\/([0-9a-f-]{36})/.exec(url) ?? [];
  return document.querySelector(".pswp__item:not([inert]) .pswp__img") ?? document.querySelector(`#job-${job} .card-picture`);
}

/** Name the picture during the transition, which rejects when the other page takes no part. That is no error. */
async function name(picture, transition) {
  transition.ready.catch(() => undefined);
  if (picture) picture.style.viewTransitionName = NAME;
  await transition.finished.catch(() => undefined);
  if (picture) picture.style.viewTransitionName = "";
}
