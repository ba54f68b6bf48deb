// The buzzer, when it is wanted: a square wave, as a passive buzzer makes it.

const LOUDNESS = 0.05;
const SHORTEST_S = 0.015;

export class Sound {
  #context = null;
  #gain = null;
  #oscillator = null;
  #until = 0;

  // Browsers allow sound only from a click on: that is where this is called from.
  switch(on) {
    if (on && !this.#context) {
      this.#context = new AudioContext();
      this.#gain = this.#context.createGain();
      this.#gain.gain.value = 0;
      this.#oscillator = this.#context.createOscillator();
      this.#oscillator.type = "square";
      this.#oscillator.connect(this.#gain).connect(this.#context.destination);
      this.#oscillator.start();
    }
    if (on) this.#context.resume();
    else this.#context?.suspend();
  }

  // `hertz` from now on, 0 is silence. A tick that begins and ends in one go is heard all the same.
  tone(hertz) {
    if (this.#context?.state !== "running") return;
    const now = this.#context.currentTime;
    if (hertz) {
      this.#oscillator.frequency.setValueAtTime(hertz, now);
      this.#gain.gain.cancelScheduledValues(now);
      this.#gain.gain.setValueAtTime(LOUDNESS, now);
      this.#until = now + SHORTEST_S;
    } else {
      this.#gain.gain.setValueAtTime(0, Math.max(now, this.#until));
    }
  }
}
