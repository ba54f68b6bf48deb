// A panel that is touched: its keys are drawn by the terminal, and a finger on the picture is a finger on its glass.

export class Glass {
  #pointer = null; // the one that is on the glass

  constructor(canvas, body, ask) {
    this.canvas = canvas;
    this.body = body;
    this.ask = ask;
    this.touchable = false;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(end, (event) => this.#up(event.pointerId));
    }
    canvas.addEventListener("mousedown", (event) => this.touchable && event.preventDefault());
    canvas.addEventListener("contextmenu", (event) => this.touchable && event.preventDefault());
  }

  // Where the terminal has its keys on the panel; null when it has a keypad of its own.
  show(area) {
    this.touchable = Boolean(area);
    this.body.classList.toggle("touch", this.touchable);
  }

  release() {
    if (this.#pointer !== null) this.#up(this.#pointer);
  }

  #down(event) {
    if (!this.touchable || event.button !== 0 || this.#pointer !== null) return;
    const place = this.canvas.getBoundingClientRect();
    const at = [
      Math.floor(((event.clientX - place.left) * this.canvas.width) / place.width),
      Math.floor(((event.clientY - place.top) * this.canvas.height) / place.height),
    ];
    this.#pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.ask({ do: "touch", at: at.map((n) => Math.max(0, n)) });
  }

  #up(pointer) {
    if (pointer !== this.#pointer) return;
    this.#pointer = null;
    this.ask({ do: "lift" });
  }
}
