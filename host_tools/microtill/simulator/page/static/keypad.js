// The keypad: sixteen buttons that go down and come up, by mouse, touch or keyboard.

import { inLanguage, t } from "./texts.js";

// As on the membrane: what is printed large, and the text beside it.
const CAPS = [
  ["1"], ["2"], ["3"], ["UP", "▲", "A", "key_up"],
  ["4"], ["5"], ["6"], ["DOWN", "▼", "B", "key_down"],
  ["7"], ["8"], ["9"], ["CLEAR", "C", "", "key_clear"],
  ["CANCEL", "*", "", "key_cancel"], ["0"], ["OK", "#", "", "key_ok"], ["MENU", "D", "", "key_menu"],
];

const KEYBOARD = {
  Enter: "OK", "#": "OK", Escape: "CANCEL", "*": "CANCEL", Backspace: "CLEAR", Delete: "CLEAR",
  ArrowUp: "UP", ArrowDown: "DOWN", m: "MENU", M: "MENU", F1: "MENU",
};

function keyOf(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return null;
  return /^[0-9]$/.test(event.key) ? event.key : (KEYBOARD[event.key] ?? null);
}

// What the focused element does with a key itself.
function wants(element, key) {
  if (element.closest("button, summary, a") && (key === "Enter" || key === " ")) return true;
  return Boolean(element.closest("[tabindex], summary")) && key.startsWith("Arrow");
}

export class Keypad {
  #buttons = new Map();
  #held = new Map(); // who holds it (a pointer, a key of the keyboard) -> key

  constructor(place, ask) {
    this.ask = ask;
    for (const cap of CAPS) place.append(this.#button(...cap));
    addEventListener("keydown", (event) => this.#keyDown(event));
    addEventListener("keyup", (event) => this.#up(`keyboard ${event.code}`));
    addEventListener("blur", () => this.releaseAll());
    document.addEventListener("visibilitychange", () => this.releaseAll());
  }

  // The keys that are down on the terminal, whoever holds them.
  show(down) {
    for (const [key, button] of this.#buttons) button.classList.toggle("down", down.includes(key));
  }

  releaseAll() {
    for (const who of [...this.#held.keys()]) this.#up(who);
  }

  #button(key, large = key, small = "", text = "") {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `key key-${/^\d$/.test(key) ? "digit" : key.toLowerCase()}`;
    button.dataset.key = key;
    const face = document.createElement("b");
    face.textContent = large;
    button.append(face);
    if (small || text) {
      const note = document.createElement("small");
      button.append(note);
      inLanguage(() => {
        note.textContent = small || t(text);
        button.setAttribute("aria-label", t(text));
      });
    }
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      button.setPointerCapture(event.pointerId);
      this.#down(`pointer ${event.pointerId}`, key);
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      button.addEventListener(end, (event) => this.#up(`pointer ${event.pointerId}`));
    }
    // A click with the mouse leaves the focus where it was, so that Enter stays the OK key.
    button.addEventListener("mousedown", (event) => event.preventDefault());
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    button.addEventListener("click", (event) => {
      if (event.detail) return; // of a pointer: seen above. Else it is assistive technology's.
      this.#down("click", key);
      this.#up("click");
    });
    this.#buttons.set(key, button);
    return button;
  }

  #keyDown(event) {
    const own = event.target.closest?.("[data-key]");
    let key = keyOf(event);
    if (own && (event.key === "Enter" || event.key === " ")) key = own.dataset.key;
    else if (!key || wants(event.target, event.key)) return;
    event.preventDefault();
    if (!event.repeat) this.#down(`keyboard ${event.code}`, key);
  }

  #down(who, key) {
    this.#up(who);
    this.#held.set(who, key);
    this.ask({ do: "press", key });
  }

  #up(who) {
    const key = this.#held.get(who);
    if (key === undefined) return;
    this.#held.delete(who);
    if (![...this.#held.values()].includes(key)) this.ask({ do: "release", key });
  }
}
