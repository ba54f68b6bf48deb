"""The page's server: who may talk to it, what it takes from a page, and what all pages are told."""

import asyncio
import http.client
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from microtill.acquirer.process import AcquirerProcess
from microtill.bench.client import Bench
from microtill.simulator.page.messages import KEYS, LONGEST, WALLET, Request, Unknown, parse
from microtill.simulator.page.panel import Frame, update
from microtill.simulator.page.server import listen
from microtill.simulator.page.session import OUTBOX, Session
from support.fuzz import examples
from support.page import Page, served
from websockets.exceptions import InvalidStatus

# A little firmware with the real board: says its keys, obeys a few of them, reads one card.
FIRMWARE = """
import asyncio, framebuf
from board import Board
board = Board()
fb = framebuf.FrameBuffer(board.display.buffer, 240, board.display.rows, framebuf.GS4_HMSB)
fb.fill_rect(20, 0, 30, 10, 15)

async def one_card():
    await board.nfc.start()
    print("ready")
    board.nfc.listen()
    while not board.nfc.poll():
        await asyncio.sleep_ms(10)
    await board.nfc.transceive(bytes.fromhex("00A404000E325041592E5359532E444446303100"))
    print("read")
    await board.nfc.release()

async def main():
    reader = asyncio.create_task(one_card())
    board.keypad.start()
    y = 0
    while True:
        key, down = await board.keypad.read()
        print(key, "down" if down else "up")
        if not down:
            continue
        if key == "1":
            board.display.flush(y, y + 10)
            y += 20
        elif key == "2":
            board.leds.show(2)
        elif key == "3":
            board.buzzer.success()
        elif key == "MENU":
            raise RuntimeError("as it was told to")

asyncio.run(main())
"""


TOUCHED = """
import asyncio
from board import Board
board = Board()
async def main():
    board.keypad.start()
    print("ready")
    while True:
        key, down = await board.keypad.read()
        print(key, "down" if down else "up")
        if down:
            board.buzzer.key()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def firmware(tmp_path_factory) -> Path:
    script = tmp_path_factory.mktemp("page") / "firmware.py"
    script.write_text(FIRMWARE)
    return script


@pytest.fixture
def bench(firmware):
    with Bench(script=firmware) as bench:
        bench.wait_line("ready")
        yield bench


@pytest.fixture
def url(bench):
    with served(lambda: Session(bench)) as url:
        yield url


# Messages


def test_messages_are_parsed():
    assert parse('{"do":"press","key":"OK"}') == Request("press", "OK")
    assert parse('{"do":"release","key":"0"}') == Request("release", "0")
    assert parse('{"do":"hold","card":"visa"}') == Request("hold", "visa")
    assert parse('{"do":"take","card":"phone"}') == Request("take", "phone")
    assert parse('{"do":"wifi","up":false}') == Request("wifi", False)
    assert parse('{"do":"power","on":true}') == Request("power", True)
    assert parse('{"do":"reset"}') == Request("reset")
    assert parse('{"do":"touch","at":[0,319]}') == Request("touch", (0, 319))
    assert parse('{"do":"lift"}') == Request("lift")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "press",
        "[]",
        "3",
        "null",
        "{}",
        '{"do":"fly"}',
        '{"do":["press"],"key":"1"}',
        '{"do":"press"}',
        '{"do":"press","key":1}',
        '{"do":"press","key":["1"]}',
        '{"do":"press","key":"10"}',
        '{"do":"press","key":"1","more":1}',
        '{"do":"hold","card":"trace:/etc/passwd"}',
        '{"do":"hold","card":"visa@3"}',
        '{"do":"wifi","up":1}',
        '{"do":"power","on":"true"}',
        '{"do":"reset","now":true}',
        '{"do":"power_cut"}',
        '{"do":"touch"}',
        '{"do":"touch","at":[1]}',
        '{"do":"touch","at":[1,-1]}',
        '{"do":"touch","at":[1,1024]}',
        '{"do":"touch","at":[1,true]}',
        '{"do":"touch","at":[1,2.0]}',
        '{"do":"touch","at":"12"}',
        '{"do":"lift","at":[1,2]}',
        "[" * 200,
        json.dumps({"do": "press", "key": "1" * LONGEST}),
    ],
)
def test_anything_else_is_unknown(text):
    with pytest.raises(Unknown) as told:
        parse(text)
    assert len(str(told.value)) < 120


@settings(max_examples=examples(300), deadline=None)
@given(
    st.text()
    | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5)
    | st.dictionaries(
        st.sampled_from(["do", "key", "card", "up", "on", "at"]) | st.text(),
        st.sampled_from(["press", "hold", "touch", "lift", "wifi", "reset", "1", "visa"])
        | (st.booleans() | st.integers() | st.text() | st.lists(st.integers(-1, 1024), max_size=3)),
    )
)
def test_fuzz_messages(value):
    try:
        request = parse(value if isinstance(value, str) else json.dumps(value))
    except Unknown:
        return
    does = ("press", "release", "touch", "lift", "hold", "take", "wifi", "host", "power", "reset", "prepare")
    assert request.do in does
    if request.do == "touch":
        assert isinstance(request.what, tuple)
        assert [0 <= n < 1024 for n in request.what] == [True, True]
    else:
        assert request.what is None or isinstance(request.what, bool) or request.what in KEYS | set(WALLET)


# The panel


@settings(max_examples=examples(100), deadline=None)
@given(
    st.integers(1, 5).flatmap(
        lambda width: st.integers(1, 8).flatmap(
            lambda height: st.tuples(
                st.just((width, height)),
                st.lists(st.binary(min_size=width * height * 3, max_size=width * height * 3), min_size=1, max_size=4),
            )
        )
    )
)
def test_fuzz_updates_rebuild_every_frame(case):
    (width, height), pictures = case
    shown, canvas = None, bytearray(width * height * 3)
    for pixels in pictures:
        frame = Frame(width, height, pixels)
        message = update(shown, frame)
        if message is None:
            assert shown and shown.pixels == pixels
        else:
            first = int.from_bytes(message[4:6])
            canvas[first * width * 3 : first * width * 3 + len(message) - 8] = message[8:]
        assert canvas == pixels
        shown = frame


def test_only_changed_rows_are_sent():
    before = bytes(10 * 3 * 20)
    after = bytearray(before)
    after[7 * 30] = after[9 * 30 + 5] = 1
    message = update(Frame(10, 20, before), Frame(10, 20, bytes(after)))
    assert message
    assert [int.from_bytes(message[i : i + 2]) for i in (0, 2, 4, 6)] == [10, 20, 7, 3]
    assert len(message) == 8 + 3 * 30


# Who may come in


def get(url: str, path: str, host: str | None = None) -> http.client.HTTPResponse:
    port = int(url.rstrip("/").rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{port}")
    connection.endheaders()
    return connection.getresponse()


def test_the_page_and_nothing_beside_it_is_served(url):
    answer = get(url, "/")
    page = answer.read().decode()
    assert answer.status == 200 and "<canvas" in page
    assert "default-src 'none'" in (answer.getheader("content-security-policy") or "")
    assert answer.getheader("x-content-type-options") == "nosniff"
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page), "the page fetches from elsewhere"
    for name in re.findall(r'(?:src|href)="([\w.]+)"', page):
        assert get(url, f"/{name}").status == 200, name
    for path in ("/../server.py", "/%2e%2e/server.py", "/..%2fserver.py", "//etc/passwd", "/server.py"):
        assert get(url, path).status in (400, 404), path


def test_requests_for_another_host_are_refused(url):
    port = url.rstrip("/").rpartition(":")[2]
    for host in ("rebound.example", f"rebound.example:{port}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.1:{port}.example"):
        assert get(url, "/", host).status == 403, host
    assert get(url, "/", f"localhost:{port}").status == 200


def test_pages_of_other_sites_are_refused(url):
    port = url.rstrip("/").rpartition(":")[2]
    for origin in ("https://shop.example", "null", f"http://localhost:{port}", f"https://127.0.0.1:{port}"):
        with pytest.raises(InvalidStatus) as refused:
            Page(url, origin)
        assert refused.value.response.status_code == 403
    with Page(url):
        pass


def test_only_the_loopback_interface_listens():
    with listen() as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


# What pages see and do


def test_two_pages_see_the_same(url, bench):
    with Page(url) as one, Page(url) as two:
        one.until(lambda p: p.state.get("running") and p.panel)
        one.key("1")
        for page in (one, two):
            page.until(lambda p: "1 up" in p.lists["console"], "the key")
            page.until(lambda p: bytes(p.panel) == bench.frame().tobytes(), "the picture")
        one.send({"do": "press", "key": "2"})
        two.until(lambda p: p.state["down"] == ["2"], "the key held")
        two.until(lambda p: sum(map(any, p.state["lights"])) == 2, "the lights")
        one.send({"do": "release", "key": "2"})
        two.until(lambda p: p.state["down"] == [], "the key let go")
    with Page(url) as late:
        late.until(lambda p: bytes(p.panel) == bench.frame().tobytes(), "the whole picture")
        assert "1 up" in late.lists["console"]


def test_a_small_change_is_a_small_picture(url, bench):
    with Page(url) as page:
        page.until(lambda p: bytes(p.panel) == bench.frame().tobytes())
        page.pictures.clear()
        page.key("1")
        page.until(lambda p: p.pictures, "the picture")
        assert sum(rows for _, rows in page.pictures) == 10


def test_keys_typed_at_once_all_arrive(url):
    keys = [*"4567890", "UP", "DOWN", "CLEAR", "OK", "CANCEL", *"44"]
    with Page(url) as page:
        page.key(*keys)
        page.until(lambda p: len([line for line in p.lists.get("console", []) if line.endswith("up")]) == len(keys))
        assert [line for line in page.lists["console"] if "down" in line] == [f"{key} down" for key in keys]


def test_a_page_that_goes_lets_its_keys_go(url):
    with Page(url) as stays:
        with Page(url) as goes:
            goes.send({"do": "press", "key": "5"})
            stays.until(lambda p: p.state.get("down") == ["5"])
        stays.until(lambda p: p.state["down"] == [], "the key of the page that went")


def test_a_finger_on_the_glass(tmp_path):
    """It is on the key that is there, and leaves the glass with the page."""
    script = tmp_path / "firmware.py"
    script.write_text(TOUCHED)
    with Bench("TILL_CYD", script=script) as bench:
        bench.wait_line("ready")
        with served(lambda: Session(bench)) as url, Page(url) as stays:
            stays.until(lambda p: p.state.get("glass") == [0, 152, 240, 168], "the glass")
            with Page(url) as goes:
                goes.send({"do": "touch", "at": [90, 215]})
                stays.until(lambda p: p.state["down"] == ["5"])
            stays.until(lambda p: p.state["down"] == [], "the finger of the page that went")
            stays.until(lambda p: p.lists["console"][-2:] == ["5 down", "5 up"])
            stays.send({"do": "touch", "at": [120, 20]})
            stays.send({"do": "lift"})
            stays.send({"do": "touch", "at": [150, 300]})
            stays.until(lambda p: p.lists["console"][-1:] == ["OK down"], "a key after a touch of something else")


def test_a_touch_where_no_glass_is(url):
    with Page(url) as page:
        page.send({"do": "touch", "at": [90, 215]})
        page.send({"do": "lift"})
        page.key("7")
        page.until(lambda p: "7 up" in p.lists.get("console", []))
        assert page.state["glass"] is None


def test_what_is_not_understood_is_ignored_and_logged(url, caplog):
    with caplog.at_level(logging.WARNING), Page(url) as page:
        page.send("nonsense")
        page.send(b"\x00\x01")
        page.send({"do": "hold", "card": "trace:/etc/passwd"})
        page.key("7")
        page.until(lambda p: "7 up" in p.lists.get("console", []))
    ignored = [r.getMessage() for r in caplog.records if "ignored" in r.getMessage()]
    assert len(ignored) == 3
    assert all(len(line) < 200 for line in ignored)


def test_a_huge_message_costs_the_connection_only(url):
    with Page(url) as page:
        page.send("x" * 1_000_000)
        assert page.closed_by_server()
    with Page(url):
        pass


def test_tones_are_told(url):
    with Page(url) as page:
        page.key("3")
        page.until(lambda p: p.state["tone"] == 1500, "the tone")
        page.until(lambda p: p.state["tone"] == 0, "its end")


def test_a_card_is_held_read_and_taken_away(url, bench):
    with Page(url) as page:
        page.send({"do": "hold", "card": "visa"})
        page.until(lambda p: p.state.get("cards") == ["visa"])
        page.until(lambda p: "read" in p.lists["console"], "the card's answer")
        talk = [text for _, chip, text in page.lists["card"] if chip == "nfc"]
        assert any(text.startswith("=> 00a40400") for text in talk)
        # The field is off: whoever holds a card that has been read takes it away.
        page.until(lambda p: p.state["cards"] == [], "the card's removal")
        assert bench.seen()["nfc"]["cards"] == 0


def test_two_cards_at_once_and_one_taken_away(url, bench):
    bench.hand("nfc", "fault", kind="dead")  # nobody reads them
    with Page(url) as page:
        for card in ("visa", "phone", "visa", "unionpay"):
            page.send({"do": "hold", "card": card})
        page.until(lambda p: p.refused, "the refusal of a third")
        assert page.refused[0]["why"] == "reader_full" and page.state["cards"] == ["visa", "phone"]
        page.send({"do": "take", "card": "visa"})
        page.until(lambda p: p.state["cards"] == ["phone"], "one card")
        assert bench.seen()["nfc"]["cards"] == 1


def test_wifi_power_and_reset(url, bench):
    with Page(url) as page:
        page.send({"do": "wifi", "up": False})
        page.until(lambda p: p.state.get("wifi") is False)
        page.send({"do": "power", "on": False})
        page.until(lambda p: not p.state["powered"] and not p.state["running"])
        page.until(lambda p: p.panel and not any(p.panel), "a dark panel")
        page.send({"do": "power", "on": False})  # off is off
        page.send({"do": "power", "on": True})
        page.until(lambda p: p.state["powered"] and p.state["running"])
        page.until(lambda p: "ready" in p.lists["console"], "the start")
        page.send({"do": "reset"})
        page.until(lambda p: p.lists["console"].count("ready") == 2, "the second start")
        assert not page.refused
        assert len(bench.state()["resets"]) == 3


def test_firmware_that_dies_is_shown_with_its_last_lines(url):
    with Page(url) as page:
        page.key("MENU")
        page.until(lambda p: p.state.get("exit") is not None, "the end")
        assert page.state["powered"] and not page.state["running"]
        assert any("as it was told to" in line for line in page.state["last_lines"])
        page.until(lambda p: p.state["down"] == [], "the key that was let go after the end")
        page.key("5")
        page.until(lambda p: p.refused, "the refusal")
        page.send({"do": "power", "on": True})
        page.until(lambda p: p.state["running"] and p.state["exit"] is None, "the new start")
        page.until(lambda p: p.lists["console"][-1] == "ready")
    with Page(url) as page:
        assert page.state["last_lines"] == []


def test_a_bench_that_ends_is_shown(url, bench):
    with Page(url) as page:
        bench.stop()
        page.until(lambda p: p.state["phase"] == "gone", "the end")
    with Page(url) as page:
        page.until(lambda p: p.state.get("phase") == "gone", "the end, told later")


def test_a_page_that_lags_gets_everything_anew(bench):
    async def lag():
        session = Session(bench)
        page = session.open()
        session.state["phase"] = "later"
        for n in range(OUTBOX):
            page.say({"add": {"console": [str(n)]}})
        first = await page.next()
        page.say({"add": {"console": ["after"]}})
        return first, await page.next()

    first, then = asyncio.run(lag())
    assert [json.loads(text)["state"]["phase"] for text in first] == ["later"]
    assert [json.loads(text) for text in then] == [{"add": {"console": ["after"]}}]


def test_preparing_is_told_and_may_be_tried_again(bench):
    told = []

    def prepare(say):
        say("one")
        say("two")
        told.append(1)
        if len(told) == 1:
            raise RuntimeError("no luck")

    with served(lambda: Session(bench, None, prepare, blank=True)) as url, Page(url) as page:
        assert page.state["phase"] == "blank"
        page.send({"do": "prepare"})
        page.until(lambda p: p.state["phase"] == "failed")
        assert page.state["failure"] == "no luck"
        page.send({"do": "prepare"})
        page.until(lambda p: p.state["phase"] == "ready")
        assert page.state["steps"] == ["one", "two"]
        page.send({"do": "prepare"})
        page.key("4")
        page.until(lambda p: "4 up" in p.lists["console"])
        assert len(told) == 2


def test_the_acquirer_is_switched_off_and_on_and_what_it_logs_is_told(bench):
    with (
        AcquirerProcess() as acquirer,
        served(lambda: Session(bench, acquirer)) as url,
        Page(url) as page,
    ):
        assert page.state["host"] is True
        page.send({"do": "host", "up": False})
        page.until(lambda p: p.state["host"] is False)
        with pytest.raises(ConnectionRefusedError):
            http.client.HTTPConnection("127.0.0.1", acquirer.port, timeout=5).connect()
        page.send({"do": "host", "up": True})
        page.until(lambda p: p.state["host"] is True)
        connection = http.client.HTTPConnection("127.0.0.1", acquirer.port, timeout=5)
        connection.connect()
        connection.close()
        acquirer.slow(1)
        page.until(lambda p: any(line["event"] == "fault" for line in p.lists["acquirer"]), "the log line")


# The command


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for child processes in /proc")
def test_run_prints_an_address_and_ctrl_c_ends_everything():
    process = subprocess.Popen(
        [sys.executable, "-m", "microtill.cli", "run", "--blank"],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ, PYTHONUNBUFFERED="1"),
        start_new_session=True,
    )
    try:
        assert process.stdout
        found = None
        for line in process.stdout:
            found = re.search(r"http://127\.0\.0\.1:\d+/", line)
            if found:
                break
        assert found, "no address"
        with Page(found[0]) as page:
            page.until(lambda p: p.state.get("running") and p.panel and any(p.panel), "a picture")
            children = _children(process.pid)
            assert len(children) >= 2, "acquirer and bench"
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        deadline = time.monotonic() + 10
        while left := [pid for pid in children if Path(f"/proc/{pid}").exists()]:
            assert time.monotonic() < deadline, f"left behind: {left}"
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()


def _children(pid: int) -> list[int]:
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found + [deeper for child in found for deeper in _children(child)]


def test_run_says_when_the_port_is_taken(url):
    port = url.rstrip("/").rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "microtill.cli", "run", "--port", port], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert port in done.stderr
