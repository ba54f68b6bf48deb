"""`microtill demo`: one sale end to end, told line by line."""

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from microtill.acquirer.issuers import VISA_PAN
from microtill.acquirer.process import AcquirerError
from microtill.bench import partitions
from microtill.bench.client import BenchError
from microtill.cli.sim import FAILED, prepare
from microtill.device.errors import DeviceError
from microtill.device.journal_image import JournalImage
from microtill.paths import BOARDS, BUILD
from microtill.release.image import build_image, image_hash
from microtill.simulator.script import Player, ScriptFailed, parse
from microtill.simulator.world import World

AMOUNT = 1234
BOARD = "TILL_ESP32S3"
FLASH_FILE = "flash.bin"

# What the demo plays: the same commands that any scenario script may use.
KEYING = "key 1 2 3 4 OK"
TAPPING = 'tap visa\nwait "{approved}" 30\nremove'
ENDING = "key OK"
_ORDER = ("of", "type", "outcome", "rc", "amount", "currency", "pan", "scheme", "stan", "batch", "seq", "req")

CHECKING = f"acquirer expect sales=1 approved=1 declined=0 reversed=0 amount={AMOUNT}"


class Story:
    """Numbered chapters with lines under them."""

    def __init__(self, console: Console):
        self._console = console
        self._chapter = 0
        self._started = time.monotonic()

    def chapter(self, title: str) -> None:
        """Begin the next chapter."""
        self._chapter += 1
        passed = time.monotonic() - self._started
        self._console.print(f"\n[bold cyan]{self._chapter}  {title}[/]  [dim]{passed:.1f} s[/]")

    def line(self, label: str, text: str, style: str = "") -> None:
        """One line: what kind of thing, and the thing."""
        out = Text(f"   {label:<10} ", style="dim")
        out.append(text, style=style)
        self._console.print(out, soft_wrap=True)


def demo(
    language: Annotated[str, typer.Option(help="language of the terminal: zh or en")] = "en",
    picture: Annotated[Path, typer.Option(help="where the panel's picture goes")] = BUILD / "demo.png",
) -> None:
    """Play one sale on the real firmware, from a blank terminal to APPROVED, and tell its story.

    Exit 0 only if the acquirer holds exactly that one approved sale and the panel shows it.
    """
    console = Console(highlight=False)
    try:
        with tempfile.TemporaryDirectory(prefix="microtill-demo-") as state:
            _play(Story(console), language, picture, Path(state))
    except (ScriptFailed, BenchError, AcquirerError, DeviceError) as e:
        console.print(f"\n[bold red]The demo failed:[/] {e}", markup=True)
        raise typer.Exit(FAILED) from None
    console.print(
        f"\n[bold green]APPROVED[/]  one sale of ¥12.34 at the acquirer and on the panel: {picture}", soft_wrap=True
    )


def _play(story: Story, language: str, picture: Path, state: Path) -> None:
    story.chapter("A blank terminal is switched on")
    image = build_image(BOARD)
    story.line("image", f"{image.stat().st_size:,} bytes, SHA-256 {image_hash(image)[:16]}… (the file a device gets)")
    with World(state=state, board=BOARD, image=image) as world:
        assert world.acquirer
        status = world.console.wait_ready()
        story.line("unit", f"{status['board']} {status['serial']}, firmware {status['fw']}, {status['state']}")
        story.line("acquirer", f"{world.acquirer.url} (here on port {world.acquirer.port}), SQLite")

        story.chapter("It becomes a merchant's terminal, by ticket")
        world.provision(lambda line: story.line("", line))
        prepare(world, language)
        status = world.console.request("status")
        story.line(
            "terminal", f"{status['merchant']}, MID {status['mid']}, TID {status['tid']}, batch {status['batch']}"
        )
        story.line("link", "TLS to the acquirer stands, certificate checked against the pinned CA")

        player = Player(world, picture.parent, picture.parent)
        story.chapter("The cashier keys the amount")
        player.play(parse(KEYING))
        story.line("keys", KEYING.removeprefix("key "))
        story.line("panel", " · ".join(world.read_screen()))

        story.chapter("A card is tapped")
        since = world.bench.now_us()
        player.play(parse(TAPPING.format(approved={"en": "APPROVED", "zh": "交易成功"}[language])))
        panel = world.read_screen()
        world.save_screen(picture, scale=2)
        for _, chip, text in world.bench.trace(since):
            if chip == "nfc" and text[:2] in ("=>", "<="):
                story.line("C-APDU" if text[:2] == "=>" else "R-APDU", _masked(text))

        story.chapter("The terminal signs, the acquirer checks")
        sale = world.acquirer.transactions()[-1]
        story.line(
            "signed", f"{sale['type']} of {sale['amount']} {sale['currency']}, card {sale['pan']} ({sale['scheme']})"
        )
        story.line("", f"seq {sale['seq']}, STAN {sale['stan']}, batch {sale['batch']}, AID {sale['aid']}")
        for entry in world.acquirer.log_lines():
            if entry["event"] == "message" and entry.get("seq") == sale["seq"]:
                for check in entry["checks"]:
                    story.line("checked", check, "green")
                story.line(
                    "answered", f"{entry['outcome']}, rc {entry['rc']}, RRN {entry['rrn']}, in {entry['ms']:.0f} ms"
                )

        story.chapter("The panel shows it, the cashier confirms")
        story.line("panel", " · ".join(panel))
        player.play(parse(ENDING))
        world.wait_at_rest()

        story.chapter("What the journal holds, read from the raw flash")
        world.bench.power_cut()
        journal = _journal(state)
        for record in journal.records:
            if record.name != "CHECKPOINT":
                story.line(f"n={record.n}", f"{record.name:<9} {_told(record.data())}")
        story.line(
            "chain", f"{journal.count} records, head {journal.head.hex()[:16]}…, {len(journal.problems)} problems"
        )

        player.play(parse(CHECKING))
        sales = world.acquirer.sales()
        story.line("acquirer", f"{sales['sales']} sale, {sales['approved']} approved, {sales['amount']} minor units")
        if not any("¥12.34" in line for line in panel):
            raise ScriptFailed(f"the panel did not show the amount: {panel}")


def _journal(state: Path) -> JournalImage:
    table = partitions.load(BOARDS / BOARD / "partitions.csv", (state / FLASH_FILE).stat().st_size)
    part = next(p for p in table if p.label == "journal")
    return JournalImage((state / FLASH_FILE).read_bytes()[part.offset : part.end])


def _told(data: dict) -> str:
    known = [name for name in _ORDER if name in data]
    return ", ".join(f"{name} {str(data[name])[:20]}" for name in known + sorted(data.keys() - known))


def _masked(apdu: str) -> str:
    # What the card says in the clear is not repeated in any output, test card or not.
    return apdu.replace(VISA_PAN, VISA_PAN[:6] + "*" * (len(VISA_PAN) - 10) + VISA_PAN[-4:])
