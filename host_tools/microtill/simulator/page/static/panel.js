// The panel: rows of RGB into a canvas whose every pixel covers a whole number of the screen's own.

const HEAD_BYTES = 8;

export class Panel {
  constructor(canvas, body) {
    this.canvas = canvas;
    this.body = body;
    this.context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    this.context.fillRect(0, 0, canvas.width, canvas.height);
    this.fit();
    addEventListener("resize", () => this.fit());
  }

  // u16 width, height, first row, rows, then the rows.
  draw(buffer) {
    const head = new DataView(buffer, 0, HEAD_BYTES);
    const [width, height, first, rows] = [0, 2, 4, 6].map((at) => head.getUint16(at));
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.fit();
    }
    const rgb = new Uint8Array(buffer, HEAD_BYTES);
    const image = this.context.createImageData(width, rows);
    const out = image.data;
    for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
      out[to] = rgb[from];
      out[to + 1] = rgb[from + 1];
      out[to + 2] = rgb[from + 2];
      out[to + 3] = 255;
    }
    this.context.putImageData(image, 0, first);
  }

  // The largest whole number of device pixels that leaves room for the rest of the terminal.
  fit() {
    const { width, height } = this.canvas;
    const room = getComputedStyle(this.body);
    const across = parseFloat(room.getPropertyValue("--room-across")) || 300;
    const along = innerHeight - (parseFloat(room.getPropertyValue("--room-around")) || 430);
    // A small panel stays small: three CSS pixels to one of its own at most.
    const fitting = Math.min(Math.min(across, innerWidth - 60) / width, along / height, 3) * devicePixelRatio;
    // Never smaller than one CSS pixel to a pixel: text would be too small to read. The page scrolls then.
    const pixels = Math.max(Math.floor(fitting), Math.floor(devicePixelRatio), 1);
    this.body.style.setProperty("--panel-width", `${(width * pixels) / devicePixelRatio}px`);
    this.body.style.setProperty("--panel-height", `${(height * pixels) / devicePixelRatio}px`);
  }
}
