# The keypad driver on pins that are a small matrix: closed contacts join rows and columns, diodes there are none.
import asyncio
import gc

from till.drivers.keypad import LAYOUT, Keypad

NAMES = LAYOUT.split()


class Matrix:
    def __init__(self):
        self.closed = set()
        self.rows = [Row(self) for _ in range(4)]
        self.columns = [Column(self, i) for i in range(4)]
        self.scans = []

    def low(self, column):
        rows = {i for i in range(4) if self.rows[i].level == 0}
        columns = set()
        grown = True
        while grown:
            grown = False
            for row, c in self.closed:
                if (row in rows) != (c in columns):
                    rows.add(row)
                    columns.add(c)
                    grown = True
        return column in columns

    def set(self, name, closed):
        where = divmod(NAMES.index(name), 4)
        before = [self.low(i) for i in range(4)]
        if closed:
            self.closed.add(where)
        else:
            self.closed.discard(where)
        for i in range(4):
            if self.low(i) and not before[i]:
                self.columns[i].fall()


class Row:
    def __init__(self, matrix):
        self.matrix = matrix
        self.level = 1
        self.driven = 0

    def __call__(self, level):
        self.level = level
        self.driven += 1
        if level == 0:
            self.matrix.scans.append(self.matrix.rows.index(self))


class Column:
    IRQ_FALLING = 2

    def __init__(self, matrix, i):
        self.matrix = matrix
        self.i = i
        self.handler = None

    def irq(self, handler=None, trigger=3):
        assert handler is None or trigger == 2
        self.handler = handler

    def __call__(self):
        return 0 if self.matrix.low(self.i) else 1

    def fall(self):
        if self.handler:
            self.handler(self)


def made():
    matrix = Matrix()
    keypad = Keypad(matrix.rows, matrix.columns)
    keypad.start()
    return matrix, keypad


async def events(keypad, count):
    found = []
    for _ in range(count):
        found.append(await asyncio.wait_for_ms(keypad.read(), 2000))
    return found


async def silent(keypad, ms=60):
    try:
        event = await asyncio.wait_for_ms(keypad.read(), ms)
    except asyncio.TimeoutError:
        return True
    raise AssertionError(event)


async def test_each_key_goes_down_and_comes_up():
    matrix, keypad = made()
    for name in NAMES:
        matrix.set(name, True)
        assert await events(keypad, 1) == [(name, True)]
        matrix.set(name, False)
        assert await events(keypad, 1) == [(name, False)]


async def test_idle_scans_nothing():
    matrix, keypad = made()
    await asyncio.sleep_ms(5)
    driven = [row.driven for row in matrix.rows]
    await asyncio.sleep_ms(40)
    assert [row.driven for row in matrix.rows] == driven
    assert [row.level for row in matrix.rows] == [0, 0, 0, 0]
    assert all(column.handler for column in matrix.columns)


async def test_idle_again_after_a_key():
    matrix, keypad = made()
    await asyncio.sleep_ms(0)
    matrix.set("5", True)
    await events(keypad, 1)
    assert not any(column.handler for column in matrix.columns)
    matrix.set("5", False)
    await events(keypad, 1)
    for _ in range(100):
        if all(column.handler for column in matrix.columns):
            break
        await asyncio.sleep_ms(5)
    assert [row.level for row in matrix.rows] == [0, 0, 0, 0]


async def test_a_key_that_was_down_before_the_start_is_seen():
    matrix = Matrix()
    matrix.closed.add((0, 0))
    keypad = Keypad(matrix.rows, matrix.columns)
    keypad.start()
    assert await events(keypad, 1) == [("1", True)]


async def test_a_lost_interrupt_is_made_good():
    matrix, keypad = made()
    await asyncio.sleep_ms(1)
    matrix.closed.add((1, 1))  # no edge
    assert await events(keypad, 1) == [("5", True)]


async def test_bounce_is_one_event():
    matrix, keypad = made()
    await asyncio.sleep_ms(0)
    for closed in (True, False, True, False, True):
        matrix.set("8", closed)
        await asyncio.sleep_ms(2)
    assert await events(keypad, 1) == [("8", True)]
    for closed in (False, True, False, True, False):
        matrix.set("8", closed)
        await asyncio.sleep_ms(2)
    assert await events(keypad, 1) == [("8", False)]
    await silent(keypad)


async def test_a_knock_is_no_key():
    matrix, keypad = made()
    await asyncio.sleep_ms(0)
    matrix.set("8", True)
    await asyncio.sleep_ms(3)
    matrix.set("8", False)
    await silent(keypad)


async def test_roll_over():
    matrix, keypad = made()
    row = ("1", "2", "3", "UP")
    for name in row:
        matrix.set(name, True)
        assert await events(keypad, 1) == [(name, True)]
    for name in row:
        matrix.set(name, False)
        assert await events(keypad, 1) == [(name, False)]


async def test_the_fourth_corner_is_never_typed():
    matrix, keypad = made()
    for name in ("1", "2"):
        matrix.set(name, True)
        await events(keypad, 1)
    matrix.set("4", True)  # pulls 5 as well: nobody can tell which of the two it is
    await silent(keypad)
    matrix.set("2", False)  # now it is plain
    assert sorted(await events(keypad, 2)) == [("2", False), ("4", True)]
    assert keypad.held("4") and not keypad.held("5") and not keypad.held("2")


async def test_a_key_outside_the_rectangle_is_still_typed():
    matrix, keypad = made()
    for name in ("1", "2"):
        matrix.set(name, True)
        await events(keypad, 1)
    matrix.set("4", True)
    matrix.set("OK", True)
    assert await events(keypad, 1) == [("OK", True)]


async def test_held_counts():
    matrix, keypad = made()
    assert keypad.held("CLEAR") == 0
    matrix.set("CLEAR", True)
    await events(keypad, 1)
    await asyncio.sleep_ms(30)
    assert 20 <= keypad.held("CLEAR") < 2000
    matrix.set("CLEAR", False)
    await events(keypad, 1)
    assert keypad.held("CLEAR") == 0


async def test_rows_are_scanned_in_changing_order():
    matrix, keypad = made()
    await asyncio.sleep_ms(0)
    matrix.scans.clear()
    matrix.set("5", True)
    for _ in range(400):
        if len(matrix.scans) >= 80:
            break
        await asyncio.sleep_ms(5)
    orders = {tuple(matrix.scans[i : i + 4]) for i in range(0, 80, 4)}
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert len(orders) >= 4  # by chance in 20 of 24: below 1 in 10^12


async def test_unread_keys_are_kept_in_a_ring_and_can_be_forgotten():
    matrix, keypad = made()
    for i in range(20):
        keypad._change(i % 16, True)
        keypad._change(i % 16, False)
    first = await keypad.read()
    assert first == (NAMES[4], True)  # 40 told, the newest 32 kept
    keypad.clear()
    await silent(keypad, 10)


async def test_the_interrupt_handler_allocates_nothing():
    matrix, keypad = made()
    await asyncio.sleep_ms(0)
    handler = matrix.columns[0].handler
    handler(None)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    handler(None)
    after = gc.mem_alloc()
    gc.enable()
    assert after == before


def test_another_layout():
    matrix = Matrix()
    try:
        Keypad(matrix.rows, matrix.columns, "1 2 3")
    except ValueError:
        return
    raise AssertionError
