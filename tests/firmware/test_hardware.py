# The device's part of `microtill doctor --hardware`: contacts by time, the reader, who has the terminal.
import asyncio
import sys

from till.core.errors import CardCollision, InvalidValue, ReaderError, TillError


class Clock:
    """Stands in for `time` and `asyncio` of the module: its time passes only where it is slept."""

    def __init__(self):
        self.ms = 0

    def ticks_ms(self):
        return self.ms

    @staticmethod
    def ticks_diff(a, b):
        return a - b

    @staticmethod
    def ticks_add(a, b):
        return a + b

    async def sleep_ms(self, ms):
        self.ms += ms


class Keypad:
    """`script`: (from this ms on, what is closed), in order; "+" is chatter of what follows it."""

    def __init__(self, clock, *script):
        self.clock = clock
        self.script = script
        self.watched = True
        self.looks = 0

    def start(self):
        self.watched = True

    def stop(self):
        self.watched = False

    def look(self):
        assert not self.watched
        self.looks += 1
        closed = chatters = 0
        for since, contacts, chatter in self.script:
            if self.clock.ms >= since:
                closed, chatters = contacts, chatter
        return closed ^ (chatters if self.looks & 1 else 0)


class Counter:
    def __init__(self, clock, keys=()):
        self.clock = clock
        self.keys = list(keys)
        self.forgotten = 0
        self.screen = self
        self.shown = []

    def forget_keys(self):
        self.forgotten += 1

    def pressed(self):
        return self.keys.pop(0) if self.keys else None

    async def key(self, ms):
        return self.pressed()

    async def pause(self, ms):
        self.clock.ms += ms
        await asyncio.sleep(0)

    def message(self, *args):
        self.shown.append(args)


class Reader:
    def __init__(self, cards=(), held=None):
        self.cards = list(cards)
        self.held = held  # the pins that are low, while they are
        self.calls = []

    async def start(self):
        self.calls.append("start")
        if self.held is not None:
            self.held.clear()

    async def version(self):
        if self.held:
            raise ReaderError("no acknowledgement")
        return b"\x32\x01\x06\x07"

    def listen(self):
        self.calls.append("listen")

    def poll(self):
        card = self.cards.pop(0) if self.cards else None
        if isinstance(card, Exception):
            raise card
        return card

    async def wait(self, ms):
        CLOCK.ms += ms

    async def release(self):
        self.calls.append("release")


class Thing:
    def __init__(self, **members):
        for name in members:
            setattr(self, name, members[name])


CLOCK = Clock()


def lent(board, wifi=None, keys=(), low=None):
    """`(hardware, counter)` of a unit whose counter is lent."""
    sys.modules["bringup"] = Thing(low=low, memory=lambda: {"flash": 8 << 20, "region": 8 << 20})
    import till.services.hardware as module

    CLOCK.ms = 0
    module.time = CLOCK
    module.asyncio = CLOCK
    hardware = module.Hardware(board, wifi or Thing(held=False), Thing(at_rest=False), None)
    counter = Counter(CLOCK, keys)
    hardware._counter = counter
    return hardware, counter


def with_keys(*script):
    return Thing(keypad=Keypad(CLOCK, *script), nfc=Reader(), display=Thing(width=128, height=64))


async def refused(hardware, **request):
    try:
        await hardware.step(request)
    except InvalidValue:
        return
    raise AssertionError(request)


async def test_a_press_is_measured_from_its_first_contact_to_its_last():
    board = with_keys((100, 0, 1 << 5), (104, 1 << 5, 0), (250, 0, 1 << 5), (262, 0, 0))
    hardware, counter = lent(board)
    press = await hardware.step({"step": "key", "ms": 1000})
    assert press["closed"] == 1 << 5
    assert press["held"] == 0
    assert 8 <= press["ms"] <= 14, press
    assert press["edges"] > 8
    assert counter.forgotten == 1  # it is not an answer too


async def test_a_good_contact_has_two_edges():
    hardware, _ = lent(with_keys((100, 2, 0), (250, 0, 0)))
    assert await hardware.step({"step": "key", "ms": 1000}) == {"closed": 2, "ms": 0, "edges": 2, "held": 0}


async def test_nothing_is_pressed_or_only_what_does_not_count():
    none = {"closed": 0, "ms": 0, "edges": 0, "held": 0}
    hardware, _ = lent(with_keys((0, 8, 0)))
    assert await hardware.step({"step": "key", "ms": 500, "ignore": 8}) == none
    assert 500 <= CLOCK.ms < 600


async def test_a_key_that_stays_down_and_one_that_never_settles_end_it():
    hardware, _ = lent(with_keys((10, 4, 0)))
    press = await hardware.step({"step": "key", "ms": 500})
    assert (press["closed"], press["held"]) == (4, 4)
    hardware, _ = lent(with_keys((10, 0, 4)))
    press = await hardware.step({"step": "key", "ms": 500})
    assert press["closed"] == 0
    assert CLOCK.ms < 6000


async def test_at_rest_a_key_that_sticks_is_told_from_one_that_is_touched():
    hardware, _ = lent(with_keys((0, 1, 0), (50, 3, 0), (80, 1, 0)))
    assert await hardware.step({"step": "rest"}) == {"closed": 3, "always": 1}


async def test_keys_are_read_by_name_again_after_their_contacts():
    board = with_keys()
    hardware, counter = lent(board, keys=["OK", "1"])
    await hardware.step({"step": "rest"})
    assert not board.keypad.watched
    assert await hardware.step({"step": "answer", "ms": 100}) == {"keys": ["OK", "1"]}
    assert board.keypad.watched
    assert counter.forgotten == 2


async def test_a_reset_line_that_does_nothing_is_found():
    low = {}
    hardware, _ = lent(Thing(nfc=Reader(held=low)), low=low.update)
    assert await hardware.step({"step": "hold", "pins": {"RSTPD_N": 21}}) == {"answers": False}
    assert low == {}  # it was started again
    reader = Reader()
    hardware, _ = lent(Thing(nfc=reader), low=low.update)
    assert await hardware.step({"step": "hold", "pins": {"RSTPD_N": 21}}) == {"answers": True}
    assert reader.calls == ["start"]


async def test_several_cards_are_told_and_one_is_then_looked_for_again():
    card = Thing(sak=0x20, uid=b"1234", iso_dep=True)
    reader = Reader([None, CardCollision(), card])
    hardware, _ = lent(Thing(nfc=reader))
    assert await hardware.step({"step": "card", "ms": 500}) == {"card": None, "several": True}
    assert await hardware.step({"step": "card", "ms": 500}) == {"card": [0x20, 4, True]}
    assert reader.calls == ["listen", "listen", "release"]
    reader.cards = [ReaderError("checksum")]
    assert await hardware.step({"step": "card", "ms": 500}) == {"card": None, "why": "checksum"}
    assert await hardware.step({"step": "card", "ms": 500}) == {"card": None}


async def test_the_strongest_network_is_named_whatever_it_is_called():
    class Wifi:
        air = ()

        def start_radio(self):
            self.on = True

        async def scan(self):
            return self.air

    wifi = Wifi()
    hardware, _ = lent(Thing(nfc=Reader()), wifi)
    assert await hardware.step({"step": "wifi"}) == {"networks": 0, "strongest": None}
    wifi.air = ((b"shop", b"", 1, -70), (b"\xff\x1b", b"", 1, -40))
    assert await hardware.step({"step": "wifi"}) == {"networks": 2, "strongest": ["ff1b", -40]}
    wifi.air = ((b"\x1b[2J", b"", 1, -40),)
    assert (await hardware.step({"step": "wifi"}))["strongest"] == ["1b5b324a", -40]


async def test_what_is_no_step_or_no_member_of_one_is_refused():
    hardware, counter = lent(with_keys())
    await refused(hardware)
    await refused(hardware, step="run")
    await refused(hardware, step="key", ms=2001)
    await refused(hardware, step="key", ignore=1 << 16)
    await refused(hardware, step="hold", pins={"RSTPD_N": 49})
    await refused(hardware, step="show", kind="fatal", title="x", lines=[])
    await refused(hardware, step="show", kind="info", title="x", lines=["x"] * 10)
    await refused(hardware, step="show", kind="info", title="x\x1b", lines=[])
    await hardware.step({"step": "show", "kind": "info", "title": "x", "lines": ["y"]})
    assert counter.shown == [("info", "x", ["y"], None)]
    hardware._counter = None
    await refused(hardware, step="show", kind="info", title="x", lines=[])


async def test_a_drawn_keypad_says_what_its_keys_do():
    board = Thing(keypad=Thing(), nfc=Reader(), display=Thing(width=240, height=320, keys_height=168))
    hardware, counter = lent(board)
    await hardware.step({"step": "show", "kind": "info", "title": "x", "lines": []})
    assert counter.shown[0][3] == "footer.both"
    about = await hardware.step({"step": "parts"})
    assert (about["matrix"], about["drawn"], about["display"]) == (False, True, [240, 320])


async def test_a_laptop_that_is_gone_gives_the_terminal_back():
    wifi = Thing(held=False)
    hardware, counter = lent(with_keys(), wifi)
    ended = []
    hardware._end = lambda how: ended.append((how, CLOCK.ms))

    async def steps():
        while CLOCK.ms < 100_000:
            await asyncio.sleep(0)
        await hardware.step({"step": "parts"})  # heard once more

    task = asyncio.create_task(hardware.run(counter))
    await steps()
    assert wifi.held
    heard = CLOCK.ms
    while not ended:
        await asyncio.sleep(0)
    ((how, when),) = ended
    assert how == "restart"
    assert 120_000 <= when - heard <= 121_000
    task.cancel()


async def test_nobody_lends_a_counter():
    hardware, _ = lent(with_keys())
    hardware._counter = None
    try:
        await hardware.begin()
    except TillError as e:
        assert e.key == "error.busy"
    else:
        raise AssertionError
