"""Wi-Fi: the states of the ESP32's station, names, and relays that fall silent with the link."""

import contextlib
import re
import socket
import threading
import time

import pytest
from microtill.bench.clock import Clock
from microtill.bench.wlan import BEACON_US, AccessPoint, Wlan
from support.bench import bench

OPEN = """
import asyncio, network, socket, time
wlan = network.WLAN(network.WLAN.IF_STA)

async def until(test, ms=30000):
    end = time.ticks_add(time.ticks_ms(), ms)
    while not test():
        if time.ticks_diff(end, time.ticks_ms()) < 0:
            raise RuntimeError("never")
        await asyncio.sleep_ms(20)

async def join(ssid="counter", key="till-on-the-bench"):
    wlan.active(True)
    wlan.connect(ssid, key)
    await until(wlan.isconnected)

def code(call, *args):
    try:
        return call(*args)
    except OSError as e:
        return "OSError %s" % e.args[0]
"""


class EchoServer:
    """Echoes lines; counts what it took and how connections ended."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.received = b""
        self.ends: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection):
        try:
            while data := connection.recv(65536):
                self.received += data
                connection.sendall(data)
            self.ends.append("goodbye")
        except OSError:
            self.ends.append("reset")
        connection.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def server():
    server = EchoServer()
    yield server
    server.close()


def run(tmp_path, script, **options):
    with bench(tmp_path, OPEN + script, **options) as b:
        status = b.wait_exit(60)
        assert status == 0, "\n".join(b.console_lines())
        return b.console_lines()


def test_joining_goes_through_the_states(tmp_path):
    lines = run(
        tmp_path,
        """
async def main():
    print(wlan.active(), wlan.status(), code(wlan.connect, "counter", "x"), code(wlan.scan))
    wlan.active(True)
    print(wlan.status() == network.STAT_IDLE, wlan.ifconfig()[0])
    wlan.connect("counter", "till-on-the-bench")
    print(wlan.status() == network.STAT_CONNECTING, code(wlan.connect, "counter", "again"))
    await until(wlan.isconnected)
    print(wlan.status() == network.STAT_GOT_IP, wlan.ifconfig()[0], wlan.status("rssi"), wlan.config("ssid"))
    wlan.disconnect()
    print(wlan.isconnected(), wlan.status() == network.STAT_IDLE)
    wlan.connect()
    await until(wlan.isconnected)
    wlan.active(False)
    print(wlan.isconnected(), wlan.active())
asyncio.run(main())
""",
        speed=5,
    )
    assert lines == [
        "False 1000 OSError -12290 OSError -12290",
        "True 0.0.0.0",
        "True OSError -12294",
        "True 192.168.4.20 -55 counter",
        "False True",
        "False False",
    ]


def test_a_wrong_password_and_a_missing_network_show_and_are_tried_on(tmp_path):
    lines = run(
        tmp_path,
        """
async def main():
    wlan.active(True)
    wlan.connect("counter", "wrong")
    await until(lambda: wlan.status() == network.STAT_WRONG_PASSWORD)
    print("wrong")
    wlan.disconnect()
    wlan.connect("nowhere", "")
    await until(lambda: wlan.status() == network.STAT_NO_AP_FOUND)
    print("none")
    wlan.disconnect()
    wlan.config(reconnects=0)
    t = time.ticks_ms()
    wlan.connect("slow", "password")
    await until(wlan.isconnected)
    print(time.ticks_diff(time.ticks_ms(), t) > 5000)
asyncio.run(main())
""",
        speed=10,
        access_points=[
            {"ssid": "counter", "password": "right"},
            {"ssid": "slow", "password": "password", "slow_ms": 4000},
        ],
    )
    assert lines == ["wrong", "none", "True"]


def test_a_scan_lists_what_is_on_the_air_strongest_first(tmp_path):
    lines = run(
        tmp_path,
        """
wlan.active(True)
t = time.ticks_ms()
for ssid, bssid, channel, rssi, security, hidden in wlan.scan():
    print(ssid.decode(), len(bssid), channel, rssi, security)
print(time.ticks_diff(time.ticks_ms(), t) > 2000)
""",
        speed=10,
        access_points=[
            {"ssid": "远", "rssi": -80, "channel": 1},
            {"ssid": "near", "rssi": -40, "password": "secret-8"},
            {"ssid": "off", "up": False},
        ],
    )
    assert lines == ["near 6 6 -40 3", "远 6 1 -80 0", "True"]


def test_a_lost_beacon_is_noticed_after_six_seconds_and_the_station_comes_back_by_itself(tmp_path):
    script = """
async def main():
    await join()
    print("joined")
    await until(lambda: not wlan.isconnected())
    print("lost", wlan.status())
    await until(wlan.isconnected, 60000)
    print("back")
asyncio.run(main())
"""
    with bench(tmp_path, OPEN + script, speed=10) as b:
        b.wait_line("joined")
        began = b.now_us()
        b.wifi(False)
        line = b.wait_line("lost")
        assert b.now_us() - began >= BEACON_US
        assert line.split()[1] in ("200", "1001", "201")
        b.wifi(True)
        b.wait_line("back")
        assert b.wait_exit() == 0


def test_a_short_gap_is_not_noticed():
    class Link:
        def link_changed(self):
            changes.append(wlan.carries)

        def address_lost(self):
            changes.append("address lost")

        def tell(self, who, text):
            pass

    changes: list = []
    clock = Clock(100)
    wlan = Wlan.__new__(Wlan)
    wlan.connected, wlan._joined = False, None
    Wlan.__init__(wlan, clock, Link(), [AccessPoint("a")])
    wlan._active(b"\1")
    wlan._connect(b'["a", ""]')

    def let_pass(us):
        end = clock.now_us() + us
        while clock.now_us() < end:
            clock.run_due()

    let_pass(2_000_000)
    assert wlan.connected
    wlan.set_up(False)
    assert not wlan.carries
    let_pass(2_000_000)
    wlan.set_up(True)
    assert wlan.carries
    let_pass(2 * BEACON_US)
    assert wlan.status() == 1010
    changes.clear()
    wlan.set_up(False)
    let_pass(BEACON_US + 125_000_000)
    assert "address lost" in changes


def test_names_resolve_only_over_a_link_and_only_those_that_are_known(tmp_path, server):
    lines = run(
        tmp_path,
        """
async def main():
    print(code(socket.getaddrinfo, "acquirer", 8443))
    await join()
    info = socket.getaddrinfo("acquirer", 8443, 0, socket.SOCK_STREAM)
    print(len(info), info[0][:3])
    print(code(socket.getaddrinfo, "acquirer", 443), code(socket.getaddrinfo, "other", 8443))
asyncio.run(main())
""",
        hosts={"acquirer:8443": ("127.0.0.1", server.port)},
        speed=3,
    )
    assert lines == ["OSError -202", "1 (2, 1, 6)", "OSError -202 OSError -202"]


TALK = """
async def say(reader, writer, text):
    writer.write(text)
    await writer.drain()
    return await reader.readline()
"""


def test_octets_travel_and_are_counted(tmp_path, server):
    script = (
        TALK
        + """
async def main():
    await join()
    reader, writer = await asyncio.open_connection("acquirer", 8443)
    print(await say(reader, writer, b"hello\\n"))
    writer.write(bytes(300000) + b"\\n")
    await writer.drain()
    got = 0
    while got < 300001:
        got += len(await reader.read(4096))
    print(got)
    writer.close()
    await writer.wait_closed()
asyncio.run(main())
"""
    )
    with bench(
        tmp_path, OPEN + script, hosts={"acquirer:8443": ("127.0.0.1", server.port)}, speed=3, heap=2_000_000
    ) as b:
        assert b.wait_exit(40) == 0, b.console_lines()
        assert b.console_lines() == [r"b'hello\n'", "300001"]
        net = b.wait(lambda: (n := b.counters()["net acquirer:8443"]) and n["open"] == 0 and n, "the close")
        assert net == {"connections": 1, "open": 0, "sent": 300007, "received": 300007}
        b.wait(lambda: server.ends == ["goodbye"], "the goodbye")


def test_a_relay_is_silent_while_the_link_is_down_and_goes_on_afterwards(tmp_path, server):
    script = (
        TALK
        + """
async def main():
    await join()
    reader, writer = await asyncio.open_connection("acquirer", 8443)
    print(await say(reader, writer, b"one\\n"))
    print("cut now")
    await until(lambda: input_seen)
    writer.write(b"two\\n")
    await writer.drain()
    print("sent")
    try:
        print(await asyncio.wait_for(reader.readline(), 3))
    except asyncio.TimeoutError:
        print("silence")
    print(await reader.readline())

import sys
input_seen = []
async def listen():
    while True:
        input_seen.append(await asyncio.StreamReader(sys.stdin).readline())

async def both():
    asyncio.create_task(listen())
    await main()
asyncio.run(both())
"""
    )
    with bench(tmp_path, OPEN + script, hosts={"acquirer:8443": ("127.0.0.1", server.port)}, speed=4) as b:
        b.wait_line("cut now")
        b.wifi(False)
        b.console_write("go\n")
        b.wait_line("silence")
        assert server.received == b"one\n"
        assert server.ends == []
        b.wifi(True)
        b.wait_line("two")
        assert b.wait_exit() == 0
        assert server.received == b"one\ntwo\n"


def test_a_connect_fails_once_the_station_knows_that_it_is_off(tmp_path, server):
    lines = run(
        tmp_path,
        """
async def main():
    await join()
    address = socket.getaddrinfo("acquirer", 8443)[0][-1]
    s = socket.socket()
    s.connect(address)
    s.close()
    wlan.disconnect()
    print("refused" if "OSError" in str(code(socket.socket().connect, address)) else "connected")
    print(code(socket.getaddrinfo, "acquirer", 8443))
asyncio.run(main())
""",
        hosts={"acquirer:8443": ("127.0.0.1", server.port)},
        speed=3,
    )
    assert lines == ["refused", "OSError -202"]


def test_nobody_at_the_destination_ends_the_connection(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    lines = run(
        tmp_path,
        """
async def main():
    await join()
    try:
        reader, writer = await asyncio.open_connection("gone", 1)
        writer.write(b"x")
        await writer.drain()
        print("read", await reader.read(1))
    except OSError as e:
        print("OSError")
asyncio.run(main())
""",
        hosts={"gone:1": ("127.0.0.1", port)},
        speed=3,
    )
    assert lines in (["OSError"], ["read b''"])


def test_a_power_cut_and_leaving_the_network_say_nothing_to_the_far_side(tmp_path, server):
    script = (
        TALK
        + """
async def main():
    await join()
    reader, writer = await asyncio.open_connection("acquirer", 8443)
    print(await say(reader, writer, b"one\\n"))
    print("here")
    await asyncio.sleep(1000)
asyncio.run(main())
"""
    )
    with bench(tmp_path, OPEN + script, hosts={"acquirer:8443": ("127.0.0.1", server.port)}, speed=4) as b:
        b.wait_line("here")
        b.power_cut()
        b.power_on()
        b.wait_line("here")
        b.wait(lambda: server.received == b"one\none\n", "the second line")
        assert server.ends == []
        b.drop_connections()
        b.wait(lambda: server.ends == ["reset"], "the reset")


def test_an_unknown_destination_can_be_added_while_it_runs(tmp_path, server):
    script = """
async def main():
    await join()
    print("first", code(socket.getaddrinfo, "late", 5))
    while isinstance(code(socket.getaddrinfo, "late", 5), str):
        await asyncio.sleep_ms(100)
    print("known")
asyncio.run(main())
"""
    with bench(tmp_path, OPEN + script, speed=4) as b:
        assert b.wait_line("first").endswith("OSError -202")
        b.hosts({"late:5": ("127.0.0.1", server.port)})
        b.wait_line("known")


def test_the_wlan_event_tells_who_watches(tmp_path):
    with bench(tmp_path, OPEN + "asyncio.run(join())\nprint('on')\ntime.sleep(100)", speed=4, power=False) as b:
        watched = b.subscribe(["wlan", "trace"])
        b.power_on()
        b.wait_line("on")
        b.wifi(False)
        deadline = time.monotonic() + 10
        seen = []
        while time.monotonic() < deadline and not (seen and seen[-1] is False):
            event = watched.get(10)
            assert event
            if event["event"] == "wlan":
                seen.append(event["carries"])
        assert True in seen
        assert seen[-1] is False
        assert re.search("on counter", str(b.trace()))
