/**
 * Shows the panel of the lightbox: what the server renders about the print, with the forms that change it. It is
 * requested when one has stopped at a print, open or not, because it also says which of how many prints this is.
 */

const BAR = 60; // pixels that the buttons at the top take
const STOPPED = 120; // milliseconds that a print is shown before its panel is requested
const PANEL_KEY = "darkroom:panel";

export class Panel {
  #pswp;
  #button;
  #element = Object.assign(document.createElement("aside"), { className: "lightbox-panel", id: "lightbox-panel" });
  #job = "";
  #isOpen = wasOpen() ?? isBeside();
  #asked = new AbortController();
  #timer = 0;

  constructor(pswp) {
    this.#pswp = pswp;
    this.#element.setAttribute("aria-label", "About this print");
    this.#element.addEventListener("wheel", (event) => event.stopPropagation()); // it scrolls and does not zoom
    this.#element.addEventListener("keydown", ({ key, target }) => {
      if (key === "Escape" && target.matches("input, textarea")) pswp.element.focus();
    });
    pswp.options.paddingFn = () => this.#room();
    pswp.on("firstUpdate", () => {
      pswp.element.setAttribute("hx-target:inherited", `#${this.#element.id}`);
      pswp.element.append(this.#element);
      this.#element.hidden = !this.#isOpen;
    });
    const changed = ({ detail }) => detail.ctx.target === this.#element && this.refresh();
    document.addEventListener("htmx:after:request", changed); // what was requested before does not know of it
    pswp.on("close", () => this.#leave());
    pswp.on("destroy", () => document.removeEventListener("htmx:after:request", changed));
  }

  get element() {
    return this.#element;
  }

  /** Let a button open and close the panel. */
  attach(button) {
    this.#button = button;
    button.setAttribute("aria-controls", this.#element.id);
    button.setAttribute("aria-expanded", String(this.#isOpen));
  }

  toggle() {
    this.#isOpen = this.#element.hidden;
    this.#element.hidden = !this.#isOpen;
    this.#button.setAttribute("aria-expanded", String(this.#isOpen));
    const fit = () => this.#pswp.updateSize(true);
    if (this.#pswp.opener.isOpening) this.#pswp.on("openingAnimationEnd", fit); // until then it would be undone
    else fit();
    keep(this.#isOpen);
  }

  /** Open the panel, and go to the field for a new tag. */
  tag() {
    if (this.#element.hidden) this.toggle();
    this.#element.querySelector("[data-action='tag'] input")?.focus();
  }

  /** Show another print as soon as one has stopped at it. Until then nothing can be changed. */
  tell(job) {
    if (job === this.#job) return;
    const first = !this.#job;
    this.#leave();
    this.#job = job;
    if (this.#element.contains(document.activeElement)) this.#pswp.element.focus();
    this.#element.inert = true;
    this.#later((html) => {
      this.#element.innerHTML = html;
      this.#element.scrollTop = 0;
      this.#element.inert = false;
      window.htmx.process(this.#element);
    }, first ? 0 : STOPPED);
  }

  /** Request the panel of the same print again, which has changed. */
  refresh() {
    const [target] = this.#element.children;
    if (!target || this.#element.inert) return;
    this.#asked.abort();
    this.#later((text) => window.htmx.swap({ sourceElement: target, target, text, swap: "outerMorph" }), STOPPED);
  }

  /** Save notes that are not saved yet. */
  #leave() {
    clearTimeout(this.#timer);
    this.#asked.abort();
    document.dispatchEvent(new Event("notes:leave"));
  }

  #later(put, delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fetch(put), delay);
  }

  async #fetch(put) {
    this.#asked.abort();
    this.#asked = new AbortController();
    try {
      const answer = await fetch(`/jobs/${this.#job}/panel${location.search}`, { signal: this.#asked.signal });
      if (answer.status === 401) document.dispatchEvent(new Event("session:ended"));
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      await put(await answer.text());
      this.#pswp.dispatch("panelChange", { ...this.#element.firstElementChild.dataset });
    } catch (error) {
      if (error.name === "AbortError") return; // another print is shown by now
      this.#element.textContent = "Cannot load the details of this print.";
      this.#element.inert = false;
    }
  }

  #room() {
    const { offsetWidth, offsetHeight, hidden } = this.#element;
    const strip = this.#pswp.element?.querySelector(".filmstrip")?.offsetHeight ?? 0;
    const free = { top: BAR, right: 0, bottom: strip || (isBeside() ? BAR / 3 : 0), left: 0 };
    if (hidden) return free;
    return isBeside() ? { ...free, right: offsetWidth } : { ...free, bottom: offsetHeight };
  }
}

function isBeside() {
  return matchMedia("(width >= 60rem)").matches;
}

/** Return whether the panel was open last, or null when this browser does not know. */
function wasOpen() {
  try {
    const kept = localStorage.getItem(PANEL_KEY);
    return kept && kept === "open";
  } catch {
    return null;
  }
}

function keep(isOpen) {
  try {
    localStorage.setItem(PANEL_KEY, isOpen ? "open" : "closed");
  } catch {
    // not allowed: it is forgotten with the page
  }
}
