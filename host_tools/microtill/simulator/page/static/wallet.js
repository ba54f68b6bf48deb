// The wallet: cards that are clicked, or dragged, to the reader and away from it.

import { inLanguage, t } from "./texts.js";

const DRAG_PIXELS = 8;

export class Wallet {
  #cards = new Map(); // name -> { wallet: button, held: button }

  constructor(list, held, reader, ask) {
    this.list = list;
    this.held = held;
    this.reader = reader;
    this.ask = ask;
  }

  // `cards`: { name, last4, expiry } each. Built once; a new connection brings the same ones.
  fill(cards) {
    if (this.#cards.size) return;
    for (const card of cards) {
      const item = document.createElement("li");
      const button = this.#draw(card, () => this.#toggle(card.name));
      item.append(button);
      const note = document.createElement("small");
      note.className = "does";
      inLanguage(() => (note.textContent = t(`card_${card.name}`)[1]));
      item.append(note);
      this.list.append(item);
      const onReader = this.#draw(card, () => this.ask({ do: "take", card: card.name }));
      this.#cards.set(card.name, { wallet: button, held: onReader });
      inLanguage(() => {
        const [bank, does] = t(`card_${card.name}`);
        button.setAttribute("aria-label", `${bank}, ${card.name}, ${does}`);
        onReader.setAttribute("aria-label", `${bank}: ${t("on_reader")}`);
      });
    }
  }

  show(names) {
    for (const [name, { wallet, held }] of this.#cards) {
      const there = names.includes(name);
      wallet.setAttribute("aria-pressed", String(there));
      if (there && !held.isConnected) this.held.append(held);
      if (!there && held.isConnected) held.remove();
    }
    this.reader.classList.toggle("covered", names.length > 0);
  }

  #toggle(name) {
    const there = this.#cards.get(name).wallet.getAttribute("aria-pressed") === "true";
    this.ask({ do: there ? "take" : "hold", card: name });
  }

  #draw({ name, last4, expiry }, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `card card-${name}`;
    button.dataset.card = name;
    const [bank, scheme, chip, number, date] = ["bank", "scheme", "chip", "number", "date"].map((what) => {
      const part = document.createElement("span");
      part.className = what;
      button.append(part);
      return part;
    });
    scheme.textContent = name === "phone" ? "" : name;
    chip.ariaHidden = "true";
    number.textContent = `•••• ${last4}`;
    date.textContent = expiry;
    inLanguage(() => (bank.textContent = t(`card_${name}`)[0]));
    button.addEventListener("mousedown", (event) => event.preventDefault()); // as the keys: focus stays
    this.#makeDraggable(button, name, act);
    return button;
  }

  // A click acts. A drag by mouse or pen acts where it ends: on the terminal it holds the card, elsewhere it takes it.
  #makeDraggable(button, name, act) {
    let from = null;
    let ghost = null;
    const stop = () => {
      ghost?.remove();
      from = ghost = null;
      this.reader.classList.remove("awaiting");
    };
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return; // a finger scrolls, or taps
      from = [event.clientX, event.clientY];
      button.setPointerCapture(event.pointerId);
    });
    button.addEventListener("pointermove", (event) => {
      if (!from) return;
      const [dx, dy] = [event.clientX - from[0], event.clientY - from[1]];
      if (!ghost && Math.hypot(dx, dy) >= DRAG_PIXELS) {
        const box = button.getBoundingClientRect();
        ghost = button.cloneNode(true);
        ghost.classList.add("ghost");
        ghost.setAttribute("aria-hidden", "true");
        Object.assign(ghost.style, { left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px` });
        document.body.append(ghost);
        this.reader.classList.add("awaiting");
      }
      if (ghost) ghost.style.transform = `translate(${dx}px, ${dy}px)`;
    });
    button.addEventListener("pointerup", (event) => {
      if (!ghost) {
        stop();
        return;
      }
      const till = this.reader.closest(".body").getBoundingClientRect();
      const { clientX: x, clientY: y } = event;
      const over = x > till.left - 20 && x < till.right + 20 && y > till.top - 60 && y < till.bottom;
      this.ask({ do: over ? "hold" : "take", card: name });
      button.dataset.dragged = "yes";
      setTimeout(() => delete button.dataset.dragged); // the click that follows is not one
      stop();
    });
    button.addEventListener("pointercancel", stop);
    button.addEventListener("click", () => {
      if (!button.dataset.dragged) act();
    });
  }
}
