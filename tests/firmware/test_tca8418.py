import asyncio

from till.drivers.tca8418 import TCA8418


class Bus:
    # The registers, and the FIFO behind KEY_EVENT_A.
    def __init__(self):
        self.registers = bytearray(0x2F)
        self.events = []
        self.log = []
        self.gone = False

    def _check(self, address):
        assert address == 0x34
        if self.gone:
            raise OSError(19)

    def writeto_mem(self, address, register, data):
        self._check(address)
        self.log.append((register, data[0]))
        if register == 0x02:
            self.registers[2] &= ~data[0] & 0xFF
            if self.events:
                self.registers[2] |= 1
        else:
            self.registers[register] = data[0]

    def readfrom_mem_into(self, address, register, buffer):
        self._check(address)
        if register == 0x03:
            buffer[0] = len(self.events)
        elif register == 0x04:
            buffer[0] = self.events.pop(0)
        else:
            buffer[0] = self.registers[register]

    def strike(self, *events, status=1):
        self.events += events
        self.registers[2] |= status
        self.handler(None)


class Irq:
    IRQ_FALLING = 2

    def __init__(self, bus):
        self.bus = bus

    def irq(self, handler, trigger):
        self.bus.handler = handler


def make():
    bus = Bus()
    return bus, TCA8418(bus, Irq(bus))


async def take(keypad, count):
    found = []
    for _ in range(count):
        found.append(await asyncio.wait_for_ms(keypad.read(), 2000))
    return found


def test_it_is_set_up_and_what_was_pressed_before_is_forgotten():
    async def run():
        bus, keypad = make()
        bus.events = [0x81, 0x01]
        keypad.start()
        await asyncio.sleep_ms(10)
        assert bus.log[:3] == [(0x1D, 0x0F), (0x1E, 0x0F), (0x01, 0x29)], bus.log
        assert bus.events == [] and not keypad._count

    asyncio.run(run())


def test_codes_are_keys_row_by_row_of_ten():
    async def run():
        bus, keypad = make()
        keypad.start()
        await asyncio.sleep_ms(10)
        bus.strike(0x81, 0x01, 0x80 | 14, 14, 0x80 | 31, 31, 0x80 | 34, 34)
        keys = await take(keypad, 8)
        assert keys[0::2] == [("1", True), ("DOWN", True), ("CANCEL", True), ("MENU", True)], keys
        assert keys[1::2] == [("1", False), ("DOWN", False), ("CANCEL", False), ("MENU", False)]
        assert bus.log[-1] == (0x02, 0x09) and not bus.registers[2]
        bus.strike(0x80 | 5, 0x80 | 41, 0x80 | 97)  # columns, rows and inputs that nothing is wired to
        await asyncio.sleep_ms(20)
        assert not keypad._count and bus.events == []

    asyncio.run(run())


def test_no_ghost_is_a_key_whatever_comes_first():
    async def run():
        for last in ((0x81, 0x80 | 12), (0x80 | 12, 0x81)):  # 1 by 2, 4 and 5
            bus, keypad = make()
            keypad.start()
            await asyncio.sleep_ms(10)
            bus.strike(0x82, 0x80 | 11)
            assert await take(keypad, 2) == [("2", True), ("4", True)]
            bus.strike(*last)
            await asyncio.sleep_ms(20)
            assert not keypad._count, keypad._count
            bus.strike(2, 1)  # 2 comes up, and the ghost goes with it: now the third key is sure
            assert await take(keypad, 2) == [("2", False), ("5", True)]
            bus.strike(11, 12)
            assert await take(keypad, 2) == [("4", False), ("5", False)]
            assert not keypad._closed and not keypad._state

    asyncio.run(run())


def test_keys_that_no_interrupt_told_of_are_found():
    async def run():
        bus, keypad = make()
        keypad.start()
        await asyncio.sleep_ms(10)
        bus.events += [0x83, 3]
        assert await take(keypad, 2) == [("3", True), ("3", False)]

    asyncio.run(run())


def test_after_an_overflow_no_key_is_down():
    async def run():
        bus, keypad = make()
        keypad.start()
        await asyncio.sleep_ms(10)
        bus.strike(0x82, 0x83, status=9)
        assert await take(keypad, 4) == [("2", True), ("3", True), ("2", False), ("3", False)]
        assert not keypad.held("2")

    asyncio.run(run())


def test_a_chip_that_was_gone_is_set_up_again():
    async def run():
        bus, keypad = make()
        keypad.start()
        await asyncio.sleep_ms(10)
        bus.strike(0x81)
        assert await take(keypad, 1) == [("1", True)]
        bus.gone = True
        assert await take(keypad, 1) == [("1", False)]
        bus.registers = bytearray(0x2F)
        bus.gone = False
        for _ in range(100):
            await asyncio.sleep_ms(10)
            if bus.registers[1] == 0x29:
                break
        bus.strike(0x82)
        assert await take(keypad, 1) == [("2", True)]

    asyncio.run(run())
