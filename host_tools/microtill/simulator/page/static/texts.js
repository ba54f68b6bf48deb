// The page's own texts in both languages. What the terminal shows comes from the terminal.

const TEXTS = {
  zh: {
    subtitle: "桌面上的收款终端，运行真实固件",
    page_language: "页面语言",
    wallet: "卡包",
    wallet_hint: "点击或拖动一张卡到读卡区，再点一次拿开。",
    terminal: "终端",
    reader: "读卡区",
    reader_hint: "挥卡处",
    lights: "指示灯：亮 {n} 盏",
    lights_error: "指示灯：报错",
    panel: "终端屏幕",
    around: "周围环境",
    power: "电源",
    wifi: "无线网络",
    host: "收单主机",
    sound: "声音",
    reset: "按复位键",
    language_hint: "更换终端语言：待机时依次按 菜单、3、然后 1（中文）或 2（English）。",
    happened: "收单方记录",
    nothing_yet: "还没有交易。输入金额，按确认，再挥卡。",
    card_talk: "卡片与读卡器的对话",
    console: "终端日志",
    shortcuts: "键盘操作",
    honest: "仿真终端，测试卡，虚构的银行。本项目不声称通过任何认证。",
    connecting: "正在连接…",
    phase_preparing: "正在准备示范商户…",
    phase_ready: "就绪",
    phase_blank: "空白终端",
    phase_failed: "准备失败",
    phase_gone: "已结束",
    phase_off: "已断电",
    phase_dead: "固件已停止",
    lost: "与模拟器的连接断开，正在重试。若已退出，请重新运行 microtill run。",
    gone: "测试台已结束，请重新运行 microtill run。",
    failed: "示范商户没有准备好：",
    blank: "这台终端还没有商户。",
    prepare: "绑定示范商户",
    dead: "固件已停止，退出码 {status}。最后的输出：",
    restart: "重新启动",
    broken: "芯片被错误使用：",
    refused: "没有做成：",
    reader_full: "读卡区只放得下两张卡。",
    off: "已断电",
    key_up: "上",
    key_down: "下",
    key_clear: "清除",
    key_cancel: "取消",
    key_ok: "确认",
    key_menu: "菜单",
    on_reader: "在读卡区，点击拿开",
    type_sign_on: "签到",
    type_sign_off: "签退",
    type_echo: "通讯测试",
    type_sale: "消费",
    type_void: "撤销",
    type_refund: "退货",
    type_reversal: "冲正",
    type_settle: "结算",
    type_status: "查询",
    outcome_approved: "批准",
    outcome_declined: "拒绝",
    outcome_pending: "处理中",
    outcome_refused: "不受理",
    outcome_unknown: "未知",
    result_reversed: "已冲正",
    result_not_found: "无原交易",
    result_not_approved: "原交易未批准",
    ticket: "签发票据",
    problem: "错误请求",
    fault: "故障",
    stan: "凭证号",
    checks: "核验了 {n} 项",
    power_cut: "断电",
    step_trust: "信任对象已送达，屏幕显示其指纹",
    step_wifi: "网络已设置，终端正在生成密钥",
    step_ticket: "票据已取得，屏幕显示商户和商户号",
    card_visa: ["云雀银行", "联机批准"],
    card_mastercard: ["松果银行", "联机批准"],
    card_unionpay: ["蒲公英银行", "联机批准"],
    card_phone: ["手机钱包", "已在手机上验证"],
    card_nofunds: ["纸船银行", "余额不足 51"],
    card_expired: ["老磨坊银行", "卡已过期"],
    card_blocked: ["灯塔银行", "卡已锁定"],
    valid: "有效期",
    shortcut_digits: "数字键",
    shortcut_arrows: "上、下",
  },
  en: {
    subtitle: "a payment terminal on your desk, running its real firmware",
    page_language: "Language of this page",
    wallet: "Wallet",
    wallet_hint: "Click a card, or drag it, to hold it to the reader; click again to take it away.",
    terminal: "Terminal",
    reader: "Reader",
    reader_hint: "Tap here",
    lights: "Lights: {n} lit",
    lights_error: "Lights: error",
    panel: "The terminal's panel",
    around: "Around it",
    power: "Power",
    wifi: "Wi-Fi",
    host: "Acquirer",
    sound: "Sound",
    reset: "Press reset",
    language_hint: "To change the terminal's language, at rest: MENU, 3, then 1 (中文) or 2 (English).",
    happened: "What the acquirer decided",
    nothing_yet: "No transactions yet. Key in an amount, press OK and tap a card.",
    card_talk: "Card and reader, word for word",
    console: "The terminal's log",
    shortcuts: "On your keyboard",
    honest: "A simulated terminal, test cards, invented banks. This project claims no certification.",
    connecting: "Connecting…",
    phase_preparing: "Preparing the demo merchant…",
    phase_ready: "Ready",
    phase_blank: "Blank terminal",
    phase_failed: "Not prepared",
    phase_gone: "Ended",
    phase_off: "Switched off",
    phase_dead: "Firmware stopped",
    lost: "The connection to the simulator is lost; trying again. If you have ended it, start microtill run anew.",
    gone: "The bench has ended; start microtill run anew.",
    failed: "The demo merchant could not be prepared: ",
    blank: "This terminal has no merchant yet.",
    prepare: "Make it the demo merchant's",
    dead: "The firmware stopped with status {status}. Its last lines:",
    restart: "Start it again",
    broken: "A chip was used wrongly: ",
    refused: "Not done: ",
    reader_full: "there is room for two cards on the reader.",
    off: "Switched off",
    key_up: "up",
    key_down: "down",
    key_clear: "Clear",
    key_cancel: "Cancel",
    key_ok: "OK",
    key_menu: "Menu",
    on_reader: "on the reader; click to take it away",
    type_sign_on: "Sign-on",
    type_sign_off: "Sign-off",
    type_echo: "Echo",
    type_sale: "Sale",
    type_void: "Void",
    type_refund: "Refund",
    type_reversal: "Reversal",
    type_settle: "Settlement",
    type_status: "Status",
    outcome_approved: "approved",
    outcome_declined: "declined",
    outcome_pending: "pending",
    outcome_refused: "refused",
    outcome_unknown: "unknown",
    result_reversed: "reversed",
    result_not_found: "not found",
    result_not_approved: "was not approved",
    ticket: "Ticket issued",
    problem: "Bad request",
    fault: "Fault",
    stan: "STAN",
    checks: "{n} things verified",
    power_cut: "Power cut",
    card_visa: ["Lark Bank", "approved online"],
    card_mastercard: ["Pinecone Bank", "approved online"],
    card_unionpay: ["Dandelion Bank", "approved online"],
    card_phone: ["Phone wallet", "holder verified"],
    card_nofunds: ["Paper Boat Bank", "no funds (51)"],
    card_expired: ["Old Mill Bank", "past its date"],
    card_blocked: ["Lighthouse Bank", "blocked"],
    valid: "valid to",
    shortcut_digits: "digits",
    shortcut_arrows: "up, down",
  },
};

// Steps of the preparation, as the command line tells them.
const STEPS = [
  ["trust object", "step_trust"],
  ["Wi-Fi set", "step_wifi"],
  ["ticket fetched", "step_ticket"],
];

const STORED = "microtill-page-language";
const listeners = [];
let language = stored() ?? (navigator.language.startsWith("zh") ? "zh" : "en");

function stored() {
  try {
    const value = localStorage.getItem(STORED);
    return value in TEXTS ? value : null;
  } catch {
    return null; // storage is switched off
  }
}

export function t(key, fields = {}) {
  const text = TEXTS[language][key] ?? TEXTS.en[key] ?? key;
  return typeof text === "string" ? text.replace(/\{(\w+)\}/g, (_, name) => fields[name] ?? "") : text;
}

// The text of a key, or `otherwise` where the catalogue has none.
export function tOr(key, otherwise) {
  return key in TEXTS.en ? t(key) : otherwise;
}

export function stepText(line) {
  const found = STEPS.find(([start]) => line.startsWith(start));
  return found && found[1] in TEXTS[language] ? t(found[1]) : line;
}

export function setLanguage(chosen) {
  language = chosen;
  try {
    localStorage.setItem(STORED, chosen);
  } catch {
    // it holds for this visit
  }
  apply();
}

// `draw` is called now and whenever the language changes.
export function inLanguage(draw) {
  listeners.push(draw);
  draw();
}

export function apply() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t(element.dataset.label));
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  for (const draw of listeners) draw();
}
