"""Calls functions on the MicroPython Unix port from a host test: for cross-checks and fuzzing, thousands a second.

    with Port("from till.crypto.cmac import cmac") as port:
        assert port.call("cmac", key, message) == expected

Arguments and results are JSON values or bytes. An exception on the port becomes PortRaised; a crash, a hang or
a MemoryError never passes silently.
"""

import json
import os
import select
import subprocess

from microtill.paths import FIRMWARE, micropython

SERVER = """
import sys, json
def _thaw(v):
    if isinstance(v, dict) and "$b" in v:
        return bytes.fromhex(v["$b"])
    if isinstance(v, dict) and "$i" in v:
        return int(v["$i"])
    if isinstance(v, list):
        return [_thaw(x) for x in v]
    if isinstance(v, dict):
        return {k: _thaw(x) for k, x in v.items()}
    return v
def _freeze(v):
    if isinstance(v, (bytes, bytearray, memoryview)):
        return {"$b": bytes(v).hex()}
    if isinstance(v, int) and not isinstance(v, bool):
        return {"$i": str(v)}
    if isinstance(v, (list, tuple)):
        return [_freeze(x) for x in v]
    if isinstance(v, dict):
        return {k: _freeze(x) for k, x in v.items()}
    return v
def _serve():
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        name, args = json.loads(line)
        try:
            answer = {"ok": _freeze(globals()[name](*[_thaw(a) for a in args]))}
        except Exception as e:
            names = []
            c = type(e)
            while c is not Exception and c is not object:
                names.append(c.__name__)
                c = c.__bases__[0] if c.__bases__ else object
            answer = {"raised": names, "text": str(e)}
        sys.stdout.write("\\x1e" + json.dumps(answer) + "\\n")
"""


class PortRaised(Exception):
    """`names`: the class of the exception on the port and its bases, nearest first."""

    def __init__(self, names: list[str], text: str):
        super().__init__(f"{names[0]}: {text}")
        self.names = names
        self.text = text


class PortDied(Exception):
    """The port ended, crashed or did not answer in time."""


def _freeze(value):
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$b": bytes(value).hex()}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"$i": str(value)}
    if isinstance(value, list | tuple):
        return [_freeze(v) for v in value]
    if isinstance(value, dict):
        return {k: _freeze(v) for k, v in value.items()}
    return value


def _thaw(value):
    if isinstance(value, dict) and "$b" in value:
        return bytes.fromhex(value["$b"])
    if isinstance(value, dict) and "$i" in value:
        return int(value["$i"])
    if isinstance(value, list):
        return [_thaw(v) for v in value]
    if isinstance(value, dict):
        return {k: _thaw(v) for k, v in value.items()}
    return value


class Port:
    """One Unix-port process that has run `source` and answers calls to the names it defines."""

    def __init__(self, source: str, heap: str = "256K", extra_path: str = ""):
        path = f"{FIRMWARE}:.frozen" + (f":{extra_path}" if extra_path else "")
        self._process = subprocess.Popen(
            [micropython(), "-X", f"heapsize={heap}", "-c", source + SERVER + "\n_serve()\n"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(os.environ, MICROPYPATH=path),
        )

    def call(self, name: str, *args, timeout: float = 60):
        """Result of `name(*args)` on the port; lists come back for tuples."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps([name, [_freeze(a) for a in args]]).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise PortDied(f"exit status {self._process.wait()}") from None
        while True:
            if not select.select([self._process.stdout], [], [], timeout)[0]:
                self._process.kill()
                raise PortDied(f"{name}: no answer in {timeout} s")
            line = self._process.stdout.readline()
            if not line:
                raise PortDied(f"exit status {self._process.wait()}")
            if line.startswith(b"\x1e"):
                break
        answer = json.loads(line[1:])
        if "raised" in answer:
            raise PortRaised(answer["raised"], answer["text"])
        return _thaw(answer["ok"])

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if exc[0] is None:
            self.close()
        else:
            self._process.kill()
            self._process.wait()
