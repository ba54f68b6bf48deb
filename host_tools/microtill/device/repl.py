"""The MicroPython prompt of a board: the one module that knows mpremote.

mpremote says of its own interface that it will change, and version 1.29 is what is pinned and wrapped here. Only its
raw REPL is used. Whatever runs on the board runs there as a small program (`_PROGRAM`), so that what must not leave the
board, such as the content of a partition, is looked at on the board and only counted here.
"""

import ast
import base64
import contextlib
import json
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from microtill.device.errors import NoAnswer, Refused, Unplugged, VerificationFailed
from microtill.device.line import Line
from microtill.device.texts import add
from microtill.device.watch import Watch

WATCHDOG_SECONDS = 120
"""A board whose laptop has gone away restarts itself after this time."""

CHUNK = 8192
"""Bytes of a file that one command carries; on the board they take three times as much for a moment."""

_BLOCKS_AT_ONCE = 32
_WINDOW_BITS = 12  # of the compression: the board keeps 4 KiB to undo it
_READ_SECONDS = 5.0
_ANSWER_SECONDS = 30
_PROMPT_SECONDS = 12.0
_POLL_SECONDS = 0.05
_RAW = b"raw REPL; CTRL-B to exit\r\n>"
_ENOSPC = 28

# A watchdog cannot be stopped, and the app has started it: every command feeds it. Hashes are of what is read back from
# the flash after the file was closed.
_PROGRAM = """
import os,sys,gc,hashlib,io
from binascii import a2b_base64,b2a_base64
try:
 import machine
 _feed=machine.WDT(timeout=%d).feed
except (ImportError,AttributeError):
 _feed=gc.collect
try:
 import deflate
except ImportError:
 deflate=None
def _tree(top,found):
 for e in os.ilistdir(top or '/'):
  p=top+'/'+e[0]
  if e[1]&0x4000:
   _tree(p,found)
  else:
   found[p]=e[3] if len(e)>3 else -1
 return found
def _sum(p):
 h=hashlib.sha256();b=bytearray(4096);m=memoryview(b)
 try:
  f=open(p,'rb')
 except OSError:
  return ''
 try:
  while 1:
   n=f.readinto(b)
   if not n:
    break
   h.update(m[:n])
   _feed()
 finally:
  f.close()
 return str(b2a_base64(h.digest()).strip(),'ascii')
def _open(p):
 global _f
 d=p.split('/')[1:-1]
 for i in range(len(d)):
  try:
   os.mkdir('/'+'/'.join(d[:i+1]))
  except OSError as e:
   if e.errno!=17:
    raise
 _f=open(p,'wb')
def _put(s,packed):
 _feed()
 b=a2b_base64(s)
 if packed:
  b=deflate.DeflateIO(io.BytesIO(b),deflate.ZLIB).read()
 _f.write(b)
def _move(pairs):
 for a,b in pairs:
  _feed()
  try:
   os.rename(a,b)
  except OSError as e:
   if e.errno!=17:
    raise
   os.remove(b)
   os.rename(a,b)
def _gone(paths):
 for p in paths:
  _feed()
  try:
   os.remove(p)
  except OSError as e:
   if e.errno!=2:
    raise
  while p.count('/')>1:
   p=p[:p.rindex('/')]
   try:
    os.rmdir(p)
   except OSError:
    break
def _text(p):
 try:
  with open(p) as f:
   return f.read()
 except (OSError,ValueError):
  return ''
def _facts(p):
 try:
  import esp32
  t=[]
  for k in (0,1):
   t+=[list(q.info()) for q in esp32.Partition.find(k)]
 except (ImportError,AttributeError):
  t=None
 try:
  u=str(b2a_base64(machine.unique_id()).strip(),'ascii')
 except (NameError,AttributeError):
  u=''
 v=os.statvfs('/')
 i=sys.implementation
 gc.collect()
 r=[getattr(i,'_mpy',0),getattr(i,'_machine',''),sys.version,u,t,v[1] or v[0],v[2],v[3]]
 r+=[gc.mem_free()+gc.mem_alloc(),deflate is not None,_text(p)]
 return r
"""

# Counts and names of keys, never contents. The layout is ESP-IDF's ("NVS: structure of a page"): a header, two bits for
# each of 126 entries (3 empty, 2 written, 0 erased, which leaves its bytes where they are), the entries.
_BLOCKS = """
from binascii import crc32
def _part(label):
 import esp32
 return esp32.Partition.find(1,label=label)[0]
def _filled(label,first,last):
 p=_part(label);b=bytearray(4096);o=b'\\xff'*4096;r=[]
 for i in range(first,last):
  _feed();p.readblocks(i,b)
  if b!=o:
   r.append((i,sum(1 for x in b if x!=255)))
 return r
def _erase(label,first,last):
 p=_part(label)
 for i in range(first,last):
  _feed();p.ioctl(6,i)
def _entries(label,page):
 p=_part(label);b=bytearray(4096);_feed();p.readblocks(page,b);j=0;r=[];w=0
 while j<126:
  s=b[32+(j>>2)]>>(j&3)*2&3;e=bytes(b[64+32*j:96+32*j]);n=1
  if e!=b'\\xff'*32:
   if s!=3 and crc32(e[8:],crc32(e[:4],0xffffffff))==int.from_bytes(e[4:8],'little'):
    k=e[8:24]
    z=k.find(b'\\0')
    r.append((e[0],e[1],str(k[:z] if z>=0 else k,'ascii'),e[24],s))
    n=max(1,min(e[2],126-j))
   else:
    w+=1
  j+=n
 return r,w
"""

add(
    {
        "error.no_prompt": (
            "{port} 没有给出 MicroPython 提示符|"
            "按复位键再试；空白芯片请用 `microtill flash --port {port} --chip 固件.bin`；固件编入 MicroPython 的板子"
            "没有提示符，更新方法见 boards/deploy.md",
            "{port} gives no MicroPython prompt|press reset and try again; a bare chip takes "
            "`microtill flash --port {port} --chip FIRMWARE.bin`; a board whose firmware is built into its MicroPython "
            "has no prompt: boards/deploy.md says how to renew it",
        ),
        "error.board_program": (
            "板上的程序出错：{detail}|按复位键再试；若重复出现，请换线或换板",
            "the board could not do it: {detail}|press reset and try again; if it happens again, change the cable "
            "or the board",
        ),
        "error.flash_full": (
            "板上的文件系统已满|删除板上不属于 microtill 的文件，再执行同一命令，会从中断处继续",
            "the board's file system is full|remove files that are not microtill's and repeat the command: "
            "it goes on where it stopped",
        ),
    }
)


class BoardError(VerificationFailed):
    """The program on the board ended with an exception. `detail` (its last line)"""

    key = "error.board_program"


class FlashFull(Refused):
    """The board's file system took no more."""

    key = "error.flash_full"


@dataclass(frozen=True)
class Facts:
    """What a board says of itself. `heap`, `block`: bytes; `free_blocks`: of the file system, at least (below zero
    when it is about full); `partitions`: (type, subtype, offset, size, label), or None.
    """

    mpy: int
    machine: str
    version: str
    unique_id: str
    partitions: tuple[tuple[int, int, int, int, str], ...] | None
    block: int
    blocks: int
    free_blocks: int
    heap: int
    deflate: bool
    manifest: str


@dataclass(frozen=True)
class NvsEntry:
    """An entry as its header tells. `namespace`: number; namespace 0 names the others: `first` is then their number."""

    namespace: int
    type: int
    key: str
    first: int
    state: int

    @property
    def erased(self) -> bool:
        """It does not count any more; its bytes are still there."""
        return self.state == 0


@dataclass(frozen=True)
class NvsPage:
    """`stray`: entries that are not blank and belong to none of `entries`."""

    entries: tuple[NvsEntry, ...]
    stray: int


class Repl:
    """The raw REPL on an open `line`, from `__enter__` on; `__exit__` leaves it. The line stays open.

    A running program is interrupted and the interpreter started anew, without main.py. Raises Unplugged when the port
    vanishes, NoAnswer when there is no prompt or it stops to answer, BoardError when a command fails on the board.
    """

    def __init__(self, line: Line):
        self._line = line
        self._transport: _Transport | None = None
        self._packed = False

    def __enter__(self) -> "Repl":
        self._transport = _Transport(self._line)
        try:
            with self._typed():
                self._transport.enter_raw_repl()
            self.run(_PROGRAM % (WATCHDOG_SECONDS * 1000))
        except BaseException:
            self._transport.give_back()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        transport, self._transport = self._transport, None
        if transport:
            # The prompt as a person knows it, unless the board has restarted or gone.
            with contextlib.suppress(OSError):
                if transport.in_raw_repl:
                    transport.exit_raw_repl()
            transport.give_back()

    def run(self, program: str, timeout: int = _ANSWER_SECONDS) -> str:
        """Run a program; returns what it printed."""
        assert self._transport
        with self._typed():
            out, error = self._transport.exec_raw(program, timeout)
        if error:
            said = error.decode("utf-8", "replace").strip().splitlines()
            raise _board_error(said[-1] if said else "")
        return out.decode("utf-8", "replace")

    def value(self, expression: str, timeout: int = _ANSWER_SECONDS) -> Any:
        """The value of an expression of constants."""
        return self._literal(self.run(f"print(repr({expression}))", timeout))

    def _literal(self, said: str) -> Any:
        try:
            return ast.literal_eval(said.strip())
        except (ValueError, SyntaxError) as e:
            raise NoAnswer("error.not_understood", port=self._line.path) from e

    def facts(self, manifest: str) -> Facts:
        """What the board is; `manifest`: a text file, whose content comes with it."""
        mpy, machine, version, unique_id, table, *rest = self.value(f"_facts({manifest!r})")
        block, blocks, free, *rest = rest
        if free > blocks:
            free -= 1 << 32  # littlefs counts some blocks twice, and the port then counts below zero
        table = table and tuple(tuple(row[:5]) for row in table)
        found = Facts(mpy, machine, version, unique_id, table, block, blocks, free, *rest)
        self._packed = found.deflate
        return found

    def files(self) -> dict[str, int]:
        """Every file of the file system: path to size (-1: not told)."""
        return self.value("_tree('',{})")

    def hashes(self, paths: Sequence[str]) -> dict[str, str]:
        """SHA-256 of files, hex; those that are not there are missing."""
        found = self.value(f"[_sum(p) for p in {list(paths)!r}]") if paths else []
        return {path: base64.b64decode(digest).hex() for path, digest in zip(paths, found, strict=True) if digest}

    def put(self, path: str, data: bytes, wrote: Callable[[int], None] = lambda n: None) -> str:
        """Write a file, its folders with it; `wrote` hears how many more bytes are there.

        Returns its SHA-256, read back.
        """
        commands = [f"_open({path!r})"]
        for at in range(0, len(data), CHUNK):
            part = data[at : at + CHUNK]
            squeezer = zlib.compressobj(9, zlib.DEFLATED, _WINDOW_BITS)
            packed = squeezer.compress(part) + squeezer.flush() if self._packed else part
            smaller = self._packed and len(packed) < len(part)
            commands.append(f"_put({base64.b64encode(packed if smaller else part)!r},{int(smaller)})")
            if len(data) > CHUNK:
                self.run("\n".join(commands))
                commands = []
            wrote(len(part))
        commands.append(f"_f.close()\nprint(repr(_sum({path!r})))")
        return base64.b64decode(self._literal(self.run("\n".join(commands)))).hex()

    def move(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Rename files, each in one step; what had the new name is gone."""
        self.run(f"_move({list(pairs)!r})")

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files, where they are there, and the folders that are then empty."""
        self.run(f"_gone({list(paths)!r})")

    def filled(self, label: str, watch: Watch) -> tuple[int, dict[int, int]]:
        """Blocks that the data partition `label` has, and those of them that are not blank: how many bytes are not."""
        count = self._blocks(label)
        watch.total(count)
        found: dict[int, int] = {}
        for first, last in _runs(count):
            found |= dict(self.value(f"_filled({label!r},{first},{last})"))
            watch.step(last - first)
        return count, found

    def nvs_entries(self, label: str, page: int) -> NvsPage:
        """What a page of NVS holds, by name. Its values stay on the board."""
        entries, stray = self.value(f"_entries({label!r},{page})")
        return NvsPage(tuple(NvsEntry(*entry) for entry in entries), stray)

    def erase(self, label: str) -> None:
        """Erase every block of the data partition `label`."""
        for first, last in _runs(self._blocks(label)):
            self.run(f"_erase({label!r},{first},{last})")

    def _blocks(self, label: str) -> int:
        self.run(_BLOCKS)
        return self.value(f"_part({label!r}).ioctl(4,0)")

    def restart(self) -> None:
        """Restart the board as its reset button does: the prompt goes, and so does a port of the chip's own."""
        assert self._transport
        with contextlib.suppress(NoAnswer), self._typed():  # whether it came up again is for the caller to see
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
        self._transport.in_raw_repl = False

    @contextlib.contextmanager
    def _typed(self) -> Iterator[None]:
        """What pyserial and mpremote raise, as errors of ours."""
        path = self._line.path
        try:
            yield
        except TransportExecError as e:
            raise _board_error(str(e.error_output).strip().splitlines()[-1]) from e
        except serial.SerialTimeoutException as e:
            raise NoAnswer(port=path) from e
        except (OSError, TypeError) as e:  # TypeError: how pyserial fails when the descriptor went in the middle
            raise Unplugged(port=path) from e
        except (TransportError, struct.error) as e:
            if not self._line.there:
                raise Unplugged(port=path) from e
            raise NoAnswer("error.no_prompt", port=path) from e


class _Transport(SerialTransport):
    """mpremote's transport over a line that is open already: closing and opening a port restarts many a board."""

    def __init__(self, line: Line):
        # Not SerialTransport.__init__, which opens the port itself and hides why it cannot.
        self.device_name = line.path
        self.in_raw_repl = False
        self.use_raw_paste = True
        self.mounted = False
        self.is_pty = False
        self.serial = line.port
        self.serial.timeout = _READ_SECONDS

    def give_back(self) -> None:
        """The line reads again as it did."""
        with contextlib.suppress(OSError):
            self.serial.timeout = 0

    def enter_raw_repl(self, soft_reset: bool = True, timeout_overall: int = 10) -> None:
        # mpremote's own prints what it could not understand on our standard output.
        self._reach_prompt()
        if soft_reset:
            self.serial.write(b"\x04")
            self._expect(b"soft reboot\r\n", timeout_overall)
            self._expect(_RAW[:-1], timeout_overall)
        self.in_raw_repl = True

    def read_until(
        self,
        min_num_bytes: int,
        ending: bytes,
        timeout: float | None = 10,
        data_consumer: Callable[[bytes], None] | None = None,
        timeout_overall: float | None = None,
    ) -> bytes:  # as mpremote's, but for a board that never stops talking, which that would listen to for ever
        begun = heard = time.monotonic()
        data = b""
        while not data.endswith(ending):
            byte = self.serial.read(1)
            now = time.monotonic()
            if byte:
                heard = now
                if data_consumer:
                    data_consumer(byte)
                data = byte if data_consumer else data + byte
            elif timeout is not None and now >= heard + timeout:
                break
            if timeout_overall is not None and now >= begun + timeout_overall:
                break
        return data

    def _reach_prompt(self) -> None:
        """From wherever the board is to the raw REPL, also from one that starts, fails and starts again, for ever."""
        deadline = time.monotonic() + _PROMPT_SECONDS
        self.serial.timeout = _POLL_SECONDS
        try:
            while time.monotonic() < deadline:
                # Out of a program, or of a command that was cut off, and into the raw REPL from the line's beginning.
                self.serial.write(b"\r\x03\x03\r\x01")
                if self.read_until(1, _RAW, timeout=0.3, timeout_overall=1).endswith(_RAW):
                    self._quiet()
                    return
        finally:
            self.serial.timeout = _READ_SECONDS
        raise TransportError("no raw REPL")

    def _quiet(self) -> None:
        """Only the last prompt counts: leave nothing in the line that an earlier try has caused."""
        deadline = time.monotonic() + 1.0
        while self.serial.read(4096) and time.monotonic() < deadline:
            continue

    def _expect(self, ending: bytes, seconds: int) -> None:
        if not self.read_until(1, ending, timeout_overall=seconds).endswith(ending):
            raise TransportError("no raw REPL")


def _runs(count: int) -> Iterator[tuple[int, int]]:
    for first in range(0, count, _BLOCKS_AT_ONCE):
        yield first, min(first + _BLOCKS_AT_ONCE, count)


def _board_error(said: str) -> BoardError | FlashFull:
    if said.startswith("OSError") and ("ENOSPC" in said or said.rstrip(")").endswith(f" {_ENOSPC}")):
        return FlashFull()
    return BoardError(detail=json.dumps(said)[1:-1][:200])
