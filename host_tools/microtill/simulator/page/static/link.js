// The WebSocket to the simulator: connects again whenever it is lost, and then everything comes anew.

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 4000;

export class Link {
  #socket = null;
  #wait = FIRST_WAIT_MS;

  // `handlers`: message(object), picture(ArrayBuffer), connected(bool).
  constructor(handlers) {
    this.handlers = handlers;
    this.#connect();
  }

  // Ask for what a person would do. Nothing is kept for later: what was meant for then is wrong now.
  ask(request) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(request));
  }

  #connect() {
    const socket = new WebSocket(new URL("terminal", location.href.replace(/^http/, "ws")));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#wait = FIRST_WAIT_MS;
      this.handlers.connected(true);
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.handlers.message(JSON.parse(data));
      else this.handlers.picture(data);
    };
    socket.onclose = () => {
      this.handlers.connected(false);
      setTimeout(() => this.#connect(), this.#wait);
      this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
    };
    this.#socket = socket;
  }
}
