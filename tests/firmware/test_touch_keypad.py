import asyncio

from till.drivers.touch_keypad import TouchKeypad, solve


class Glass:
    width, height, keys_height = 240, 320, 168


class Touch:
    # Samples are pixels already.
    def __init__(self):
        self.at = None
        self.script = []

    def sample(self):
        return self.script.pop(0) if self.script else self.at


class Irq:
    IRQ_FALLING = 2

    def __init__(self, touch):
        self.touch = touch
        self.handler = None

    def irq(self, handler=None, trigger=0):
        self.handler = handler

    def __call__(self):
        return 0 if self.touch.at or self.touch.script else 1

    def strike(self):
        if self.handler:
            self.handler(self)


SAME = (65536, 0, 0, 0, 65536, 0)


def make(calibration=SAME):
    touch = Touch()
    irq = Irq(touch)
    return touch, irq, TouchKeypad(touch, irq, Glass, calibration)


async def events(keypad, count):
    found = []
    for _ in range(count):
        found.append(await asyncio.wait_for_ms(keypad.read(), 2000))
    return found


def test_every_region_is_its_key():
    async def run():
        touch, irq, keypad = make()
        keypad.start()
        found = []
        for row in range(4):
            for column in range(4):
                touch.at = (60 * column + 30, 152 + 42 * row + 21)
                irq.strike()
                found.append(await asyncio.wait_for_ms(keypad.read(), 2000))
                assert keypad.held(found[-1][0])
                touch.at = None
                assert await asyncio.wait_for_ms(keypad.read(), 2000) == (found[-1][0], False)
        names = ["1", "2", "3", "UP", "4", "5", "6", "DOWN", "7", "8", "9", "CLEAR", "CANCEL", "0", "OK", "MENU"]
        assert found == [(name, True) for name in names], found

    asyncio.run(run())


def test_one_touch_is_one_key_wherever_it_slides():
    async def run():
        touch, irq, keypad = make()
        keypad.start()
        touch.script = [(30, 170)] * 4 + [(90, 170)] * 4 + [(30, 20)] * 4 + [None] + [(210, 300)] * 3
        irq.strike()
        assert await events(keypad, 2) == [("1", True), ("1", False)]
        await asyncio.sleep_ms(50)
        assert not keypad._count

    asyncio.run(run())


def test_what_is_not_steady_or_not_on_a_key_is_no_key():
    async def run():
        touch, irq, keypad = make()
        keypad.start()
        touch.script = [(30, 170), (90, 170), (30, 212), None, (150, 170), None, None]
        irq.strike()
        await asyncio.sleep_ms(200)
        touch.script = [(30, 100)] * 6 + [(240, 200)] * 3 + [(30, 320)] * 3 + [(-1, 200)] * 3
        irq.strike()
        await asyncio.sleep_ms(300)
        assert not keypad._count
        touch.script = [(30, 100)] * 3 + [(30, 160)] * 3  # from above the keys onto one
        irq.strike()
        assert await events(keypad, 2) == [("1", True), ("1", False)]

    asyncio.run(run())


def test_a_lost_interrupt_costs_a_moment_only():
    async def run():
        touch, irq, keypad = make()
        keypad.start()
        await asyncio.sleep_ms(10)
        touch.at = (30, 170)
        assert await asyncio.wait_for_ms(keypad.read(), 2000) == ("1", True)
        keypad.stop()
        assert not keypad.held("1")

    asyncio.run(run())


def test_three_points_make_a_calibration():
    # x runs from right to left and gives a little to y, as panels are glued on.
    def sample(x, y):
        return 3800 - 15 * x + y // 20, 200 + 11 * y

    places = [(30, 40), (210, 160), (120, 280)]
    found = solve([sample(*place) for place in places], places)
    touch, _, keypad = make(found)
    for place in ((0, 0), (239, 319), (20, 300), (200, 10)):
        touch.at = sample(*place)
        x, y = keypad.place()
        assert abs(x - place[0]) <= 2 and abs(y - place[1]) <= 2, (place, x, y)
    for line in ([(0, 0), (100, 100), (4000, 4000)], [(5, 5)] * 3):
        try:
            solve(line, places)
        except ValueError:
            continue
        raise AssertionError(line)
