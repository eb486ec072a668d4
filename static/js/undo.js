/** Removes the notice of what was done after a while or when it is dismissed, and clears fields whose content was accepted. */

const STAY = 20_000;
let timer = 0;

const notice = document.getElementById("done");

if (notice) {
  new MutationObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(leave, STAY);
  }).observe(notice, { childList: true });
}

function leave() {
  if (notice.matches(":hover, :focus-within")) timer = setTimeout(leave, STAY / 4);
  else notice.replaceChildren();
}

document.addEventListener("click", ({ target }) => target.closest?.("#done [data-dismiss]") && notice.replaceChildren());

document.addEventListener("htmx:after:request", ({ detail }) => {
  const form = detail.ctx?.sourceElement;
  if (form?.matches?.("[data-clears]") && detail.ctx.response?.raw?.ok !== false) form.reset();
});
