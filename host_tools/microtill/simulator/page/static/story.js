// What happened: the acquirer's decisions, the talk of card and reader, the terminal's log.

import { inLanguage, t, tOr } from "./texts.js";

const KEPT = 300;

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

export function money(minor) {
  const digits = String(minor).padStart(3, "0");
  return `¥${digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ",")}.${digits.slice(-2)}`;
}

// The acquirer's log, newest first: what was asked and what was decided.
export class Ledger {
  #entries = [];

  constructor(list, nothing) {
    this.list = list;
    this.nothing = nothing;
    inLanguage(() => this.#redraw());
  }

  replace(entries) {
    this.#entries = entries.slice(-KEPT);
    this.#redraw();
  }

  add(entries) {
    this.#entries = [...this.#entries, ...entries].slice(-KEPT);
    this.list.prepend(...entries.map((entry) => this.#row(entry)).reverse());
    while (this.list.childElementCount > KEPT) this.list.lastElementChild.remove();
    this.nothing.hidden = this.#entries.length > 0;
  }

  #redraw() {
    this.list.replaceChildren(...this.#entries.map((entry) => this.#row(entry)).reverse());
    this.nothing.hidden = this.#entries.length > 0;
  }

  #row(entry) {
    const row = element("li");
    const decided = entry.outcome ?? (entry.event === "ticket" ? "approved" : "unknown");
    row.dataset.outcome = decided;
    const what = entry.event === "message" ? tOr(`type_${entry.type}`, entry.type) : tOr(entry.event, entry.event);
    row.append(element("span", "what", what));
    if (entry.amount !== undefined) row.append(element("span", "amount", money(entry.amount)));
    if (entry.outcome) row.append(element("span", "badge", tOr(`outcome_${entry.outcome}`, entry.outcome)));
    const more = [clock.format(entry.time * 1000)];
    if (entry.rc !== undefined) more.push(entry.rc);
    if (entry.result) more.push(tOr(`result_${entry.result}`, entry.result));
    if (entry.action) more.push(entry.action);
    if (entry.stan) more.push(`${t("stan")} ${entry.stan}`);
    if (entry.rrn) more.push(`RRN ${entry.rrn}`);
    for (const name of ["reason", "status", "fault", "mode", "error"]) if (entry[name]) more.push(`${entry[name]}`);
    row.append(element("span", "more", more.join(" · ")));
    if (entry.checks?.length) row.append(checked(entry.checks));
    return row;
  }
}

function checked(checks) {
  const details = element("details", "more");
  details.append(element("summary", "", t("checks", { n: checks.length })));
  const list = element("ul");
  list.append(...checks.map((check) => element("li", "", check)));
  list.lang = "en";
  details.append(list);
  return details;
}

// A list of lines that stays at its end while one looks at the end.
class Lines {
  constructor(place) {
    this.place = place;
  }

  replace(entries) {
    this.place.replaceChildren();
    this.add(entries);
  }

  add(entries) {
    const place = this.place;
    const atEnd = place.scrollTop + place.clientHeight >= place.scrollHeight - 4;
    place.append(...entries.map((entry) => this.row(entry)));
    while (place.childElementCount > KEPT) place.firstElementChild.remove();
    if (atEnd) place.scrollTop = place.scrollHeight;
  }
}

export class Console extends Lines {
  row(line) {
    return element("div", "line", line);
  }
}

export class CardTalk extends Lines {
  row([us, chip, text]) {
    const match = /^(=>|<=) ([0-9a-f]+)$/.exec(text);
    const row = element("div", match ? (match[1] === "=>" ? "line to-card" : "line from-card") : "line aside");
    row.append(element("span", "when", (us / 1e6).toFixed(3)));
    if (!match) {
      row.append(element("span", "says", chip === "nfc" ? text : `${chip}: ${text}`));
      return row;
    }
    const hex = match[2].toUpperCase();
    row.append(element("span", "says", match[1] === "=>" ? `→ ${command(hex)}` : `← ${status(hex)}`));
    row.append(element("code", "hex", hex));
    return row;
  }
}

function command(hex) {
  const [p1, p2] = [parseInt(hex.slice(4, 6), 16), parseInt(hex.slice(6, 8), 16)];
  switch (hex.slice(2, 4)) {
    case "A4": {
      const name = hex.slice(10, 10 + 2 * parseInt(hex.slice(8, 10), 16));
      return name === "325041592E5359532E4444463031" ? "SELECT PPSE" : `SELECT ${name}`;
    }
    case "A8":
      return "GET PROCESSING OPTIONS";
    case "B2":
      return `READ RECORD ${p1}, SFI ${p2 >> 3}`;
    case "AE":
      return `GENERATE AC (${{ 0x80: "ARQC", 0x40: "TC", 0: "AAC" }[p1 & 0xc0] ?? "?"})`;
    case "2A":
      return "COMPUTE CRYPTOGRAPHIC CHECKSUM";
    default:
      return `INS ${hex.slice(2, 4)}`;
  }
}

function status(hex) {
  const sw = hex.slice(-4);
  const bytes = hex.length / 2 - 2;
  return bytes ? `${sw}, ${bytes} bytes` : sw;
}
