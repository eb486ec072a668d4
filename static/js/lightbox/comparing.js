/**
 * Makes the button Compare of the panel: with nothing selected it selects this print; with others selected it compares
 * all of them with this one.
 */

const MAX_COMPARED = 4;

export function addComparing(pswp, panel, sheet) {
  const ids = () => [...sheet.cards()].flatMap((card) => card.querySelector(".card-select:checked")?.value ?? []);
  const own = () => document.querySelector(`#job-${pswp.currSlide.data.job} .card-select`);
  const others = () => ids().filter((id) => id !== own()?.value);

  function tell() {
    const button = panel.element.querySelector("[data-compare]");
    if (!button) return;
    const number = others().length;
    const isFirst = Boolean(own()?.checked) && !number;
    button.hidden = !own();
    button.setAttribute("aria-pressed", String(isFirst));
    button.querySelector("span").textContent = isFirst ? "Selected" : number ? `Compare ${number + 1}` : "Compare";
  }

  panel.element.addEventListener("click", ({ target }) => {
    if (!target.closest("[data-compare]")) return;
    const with_ = others();
    if (with_.length >= MAX_COMPARED) say(`At most ${MAX_COMPARED} prints can be compared. ${with_.length} others are selected.`);
    else if (with_.length) location.assign(`/compare?${[...with_, own().value].map((id) => `job=${id}`).join("&")}`);
    else {
      own().click();
      if (own().checked) say("Selected. Turn to another print, and compare it with this one.");
    }
  });
  pswp.on("panelChange", tell);
  const watch = new MutationObserver(tell);
  watch.observe(document.documentElement, { attributeFilter: ["data-selecting"] });
  pswp.on("destroy", () => watch.disconnect());
}

function say(words) {
  document.dispatchEvent(new CustomEvent("darkroom:say", { detail: words }));
}
