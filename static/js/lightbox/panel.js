/** Shows the prompt, model and settings of a print in the lightbox, fetched while the panel is open. */

const BAR = 60; // pixels that the buttons at the top take

let isOpen = false; // kept for the next time the lightbox opens

export class Panel {
  #pswp;
  #button;
  #element = Object.assign(document.createElement("aside"), { className: "lightbox-panel", id: "lightbox-panel" });
  #job = "";
  #told = "";
  #asked = new AbortController();

  constructor(pswp) {
    this.#pswp = pswp;
    this.#element.setAttribute("aria-label", "About this print");
    this.#element.addEventListener("wheel", (event) => event.stopPropagation()); // it scrolls and does not zoom
    pswp.options.paddingFn = () => this.#room();
  }

  /** Put the panel into the lightbox. The button opens and closes it. */
  attach(button) {
    this.#button = button;
    button.setAttribute("aria-controls", this.#element.id);
    this.#pswp.element.append(this.#element);
    this.#show();
  }

  toggle() {
    isOpen = !isOpen;
    this.#show();
    this.#pswp.updateSize(true);
  }

  tell(job) {
    this.#job = job;
    if (isOpen && this.#told !== job) this.#fetch(job);
  }

  #show() {
    this.#element.hidden = !isOpen;
    this.#button.setAttribute("aria-expanded", String(isOpen));
    if (this.#job) this.tell(this.#job);
  }

  async #fetch(job) {
    this.#asked.abort();
    this.#asked = new AbortController();
    this.#told = job;
    try {
      const answer = await fetch(`/jobs/${job}/panel`, { signal: this.#asked.signal });
      if (answer.status === 401) document.dispatchEvent(new Event("session:ended"));
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      this.#element.innerHTML = await answer.text();
      this.#element.scrollTop = 0;
    } catch (error) {
      if (error.name === "AbortError") return; // another print is shown by now
      this.#told = "";
      this.#element.textContent = "Cannot load the details of this print.";
    }
  }

  #room() {
    const beside = matchMedia("(width >= 60rem)").matches;
    const { offsetWidth, offsetHeight, hidden } = this.#element;
    const free = { top: BAR, right: 0, bottom: beside ? BAR / 3 : 0, left: 0 };
    if (hidden) return free;
    return beside ? { ...free, right: offsetWidth } : { ...free, bottom: offsetHeight };
  }
}
