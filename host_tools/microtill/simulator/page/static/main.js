// The page: one state, told by the simulator, drawn by the parts below; and what a person does, told back.

import { Glass } from "./glass.js";
import { Keypad } from "./keypad.js";
import { Link } from "./link.js";
import { Panel } from "./panel.js";
import { Sound } from "./sound.js";
import { CardTalk, Console, Ledger } from "./story.js";
import { apply, inLanguage, setLanguage, stepText, t, tOr } from "./texts.js";
import { Wallet } from "./wallet.js";

const REFUSAL_MS = 6000;

const $ = (id) => document.getElementById(id);
const state = {};
let connected = false;
let refusal = "";
let refusalTimer = 0;

const ask = (request) => link.ask(request);
const panel = new Panel($("panel"), document.querySelector(".body"));
const glass = new Glass($("panel"), document.querySelector(".body"), ask);
const keypad = new Keypad($("keys"), ask);
const wallet = new Wallet($("wallet"), $("held"), $("reader"), ask);
const sound = new Sound();
const lists = {
  acquirer: new Ledger($("decisions"), $("nothing")),
  card: new CardTalk($("card-talk")),
  console: new Console($("console")),
};

const draw = {
  wallet: (cards) => wallet.fill(cards),
  cards: (names) => wallet.show(names),
  down: (keys) => keypad.show(keys),
  glass: (area) => {
    glass.show(area);
    panel.fit();
  },
  lights: drawLights,
  tone: (hertz) => sound.tone(hertz),
  wifi: (up) => turn("wifi", up),
  host: (up) => turn("host", up),
  powered: (on) => turn("power", on),
  acquirer: (there) => ($("host").hidden = !there),
  text: (lines) => {
    $("panel").setAttribute("aria-label", t("panel"));
    $("panel-text").textContent = lines.join("\n");
  },
};

function turn(id, on) {
  $(id).setAttribute("aria-checked", String(on));
}

function drawLights(colours) {
  const items = [...$("lights").children];
  items.forEach((item, i) => (item.hidden = i >= colours.length));
  colours.forEach(([red, green, blue], i) => {
    const lit = red || green || blue;
    // The LEDs are driven far below their full brightness; an eye does not mind, a screen does.
    const most = Math.max(red, green, blue, 1);
    const colour = [red, green, blue].map((value) => Math.round((value * 255) / most)).join(" ");
    items[i].classList.toggle("lit", Boolean(lit));
    items[i].style.setProperty("--light", lit ? `rgb(${colour})` : "");
  });
  const wrong = colours.some(([red, green]) => red > green);
  const n = colours.filter((colour) => colour.some(Boolean)).length;
  $("lights").setAttribute("aria-label", wrong ? t("lights_error") : t("lights", { n }));
}

function isDead() {
  return state.powered && !state.running && state.phase !== "gone";
}

function drawPhase() {
  let phase = state.phase;
  if (isDead()) phase = "dead";
  else if (!state.powered) phase = "off";
  const step = state.steps?.at(-1);
  const text = phase === "preparing" && step ? stepText(step) : t(`phase_${phase}`);
  $("phase").dataset.phase = connected ? phase : "lost";
  $("phase").textContent = connected && state.phase ? text : t("connecting");
  $("off").hidden = Boolean(state.powered && state.running) || !state.phase;
  $("off").textContent = t(state.powered ? "phase_dead" : "off");
}

// One notice at a time, the gravest: text, lines to read, and what can be done.
function notice() {
  if (!connected && state.phase) return [t("lost")];
  if (state.phase === "gone") return [`${t("gone")} ${state.failure}`];
  if (isDead()) {
    return [t("dead", { status: state.exit ?? "?" }), state.last_lines, "restart", { do: "power", on: true }];
  }
  if (state.phase === "failed") return [t("failed") + state.failure, [], "prepare", { do: "prepare" }];
  if (refusal) return [t("refused") + tOr(refusal, refusal)];
  if (state.broken) return [t("broken") + state.broken];
  if (state.phase === "blank" && state.can_prepare) return [t("blank"), [], "prepare", { do: "prepare" }];
  return [];
}

function drawNotice() {
  const [text, lines = [], act, request] = notice();
  $("notice").hidden = !text;
  $("notice-text").textContent = text ?? "";
  $("notice-lines").hidden = !lines.length;
  $("notice-lines").textContent = lines.join("\n");
  $("notice-act").hidden = !act;
  $("notice-act").textContent = act ? t(act) : "";
  $("notice-act").onclick = () => ask(request);
}

function drawShortcuts() {
  const rows = [
    ["0 – 9", t("shortcut_digits")], ["Enter", t("key_ok")], ["Esc", t("key_cancel")], ["⌫", t("key_clear")],
    ["↑ ↓", t("shortcut_arrows")], ["M, F1", t("key_menu")],
  ];
  $("shortcut-list").replaceChildren(
    ...rows.flatMap(([key, does]) => {
      const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
      [dt.textContent, dd.textContent] = [key, does];
      return [dt, dd];
    }),
  );
}

function take(changes) {
  Object.assign(state, changes);
  for (const name of Object.keys(draw)) if (name in changes) draw[name](changes[name]);
  drawPhase();
  drawNotice();
}

const link = new Link({
  picture: (buffer) => panel.draw(buffer),
  connected: (now) => {
    connected = now;
    if (!now) {
      keypad.releaseAll();
      glass.release();
    }
    drawPhase();
    drawNotice();
  },
  message: (message) => {
    for (const [name, entries] of Object.entries(message.lists ?? {})) lists[name].replace(entries);
    for (const [name, entries] of Object.entries(message.add ?? {})) lists[name].add(entries);
    if (message.state) take(message.state);
    if (message.refused) {
      refusal = message.why;
      clearTimeout(refusalTimer);
      refusalTimer = setTimeout(() => {
        refusal = "";
        drawNotice();
      }, REFUSAL_MS);
      drawNotice();
    }
  },
});

function onSwitch(id, act) {
  const button = $(id);
  button.addEventListener("mousedown", (event) => event.preventDefault());
  button.addEventListener("click", () => act(button.getAttribute("aria-checked") !== "true"));
}

onSwitch("power", (on) => ask({ do: "power", on }));
onSwitch("wifi", (up) => ask({ do: "wifi", up }));
onSwitch("host", (up) => ask({ do: "host", up }));
onSwitch("reset", () => ask({ do: "reset" }));
onSwitch("sound", (on) => {
  sound.switch(on);
  turn("sound", on);
});
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => setLanguage(button.dataset.language));
}

apply();
inLanguage(() => {
  drawShortcuts();
  if (state.phase) take(state);
  else drawPhase();
});
