from till.drivers import st7789
from till.drivers.st7789 import ILI9341_INIT, ST7789

HEAP = "1M"


class Wire:
    # Everything that reaches the panel, as a driver's logic analyser would show it: command and data bytes under CS.
    def __init__(self):
        self.log = []
        self.cs = self.dc = 1
        self.pins = []

    def write(self, data):
        assert self.cs == 0
        if self.dc:
            self.log[-1][1] += bytes(data)
        else:
            for byte in data:
                self.log.append([byte, b""])

    def pin(self, name):
        def put(level):
            if name == "cs":
                self.cs = level
            elif name == "dc":
                self.dc = level
            else:
                self.pins.append((name, level, len(self.log)))

        return put


def start(wire, **options):
    return ST7789(wire, wire.pin("dc"), wire.pin("cs"), wire.pin("reset"), wire.pin("light"), **options)


def test_start_is_dark_until_the_memory_is_overwritten():
    wire = Wire()
    start(wire)
    commands = [command for command, _ in wire.log]
    assert commands == [0x11, 0x3A, 0x21, 0x13, 0x36, 0x2A, 0x2B, 0x2C, 0x29]
    assert wire.log[1:7] == [
        [0x3A, b"\x55"],
        [0x21, b""],
        [0x13, b""],
        [0x36, b"\x00"],
        [0x2A, b"\x00\x00\x00\xef"],
        [0x2B, b"\x00\x00\x01\x3f"],
    ]
    assert wire.log[7][1] == bytes(240 * 320 * 2)
    assert wire.pins == [("light", 0, 0), ("reset", 1, 0), ("reset", 0, 0), ("reset", 1, 0), ("light", 1, 9)]


def test_flush_sends_whole_rows_and_no_more():
    wire = Wire()
    panel = start(wire)
    panel.palette = (0x000000, 0xFFFFFF, 0xFF0000, 0x00FF00, 0x0000FF, 0x123456) + (0,) * 10
    panel.buffer[0] = 0x12  # white, red
    panel.buffer[119] = 0x45  # … blue, 0x123456 at its end
    del wire.log[:]
    panel.flush(17, 18)
    row = b"\xff\xff\xf8\x00" + bytes(236 * 2) + b"\x00\x1f\x11\xaa"
    assert wire.log == [[0x2B, b"\x00\x11\x00\x11"], [0x2C, row]]
    assert wire.cs == 1


def test_flush_in_pieces_is_one_write_to_the_panel():
    wire = Wire()
    panel = start(wire)
    panel.palette = tuple(n << 19 for n in range(16))
    for row in range(96):
        for i in range(120):
            panel.buffer[row * 120 + i] = row % 16 * 17
    del wire.log[:]
    panel.flush(3, 44)
    assert wire.log[0] == [0x2B, b"\x00\x03\x00\x2b"]
    want = b"".join([bytes(((row % 16) << 3, 0)) * 240 for row in range(41)])
    assert wire.log[1] == [0x2C, want]


def test_rows_that_are_not_there_are_left_out():
    wire = Wire()
    panel = start(wire)
    del wire.log[:]
    panel.flush(319, 400)
    panel.flush(0, 97)  # the buffer has 96
    for none in ((20, 20), (30, 10), (-1, 5), (320, 330)):
        panel.flush(*none)
    assert [(command, len(data)) for command, data in wire.log] == [
        (0x2B, 4),
        (0x2C, 480),
        (0x2B, 4),
        (0x2C, 480 * 96),
    ]
    assert wire.log[0][1] == b"\x01\x3f\x01\x3f" and wire.log[2][1] == b"\x00\x00\x00\x5f"


def test_the_buffer_has_as_many_rows_as_were_asked_for():
    assert len(start(Wire()).buffer) == 240 * 96 // 2
    assert len(start(Wire(), rows=40).buffer) == 240 * 40 // 2
    assert len(start(Wire(), width=64, height=48).buffer) == 64 * 48 // 2


def test_ideal_bytes():
    wire = Wire()
    panel = start(wire)
    del wire.log[:]
    panel.flush(100, 116)  # a line of text
    sent = sum([1 + len(data) for _, data in wire.log])
    assert sent == 16 * 240 * 2 + 6
    assert sent <= 1.01 * 16 * 240 * 2


def test_other_glass_and_other_controller():
    wire = Wire()
    panel = start(wire, width=128, height=160, x0=2, y0=1, madctl=0x48, init=ILI9341_INIT)
    assert [0x20, b""] in wire.log and [0x36, b"\x48"] in wire.log
    assert [0x2A, b"\x00\x02\x00\x81"] in wire.log
    del wire.log[:]
    panel.flush(70, 160)
    assert wire.log[0] == [0x2B, b"\x00\x47\x00\xa0"]
    assert len(wire.log[1][1]) == 128 * 90 * 2


def test_without_a_reset_pin_it_resets_by_command():
    wire = Wire()
    ST7789(wire, wire.pin("dc"), wire.pin("cs"))
    assert wire.log[0] == [0x01, b""]


def test_waits_are_what_the_datasheet_wants():
    class Clock:
        def __init__(self):
            self.slept = []

        def sleep_ms(self, ms):
            self.slept.append((len(wire.log), ms))

    wire = Wire()
    clock, real = Clock(), st7789.time
    st7789.time = clock
    try:
        start(wire)
    finally:
        st7789.time = real
    # RST low 10 us; 120 ms to sleep out; 5 ms after it. A sleep may end up to a millisecond early.
    assert clock.slept[0] == (0, 1) and clock.slept[1] == (0, 121) and clock.slept[2] == (1, 6)


def test_a_palette_has_sixteen_colours_and_a_width_whole_words():
    panel = start(Wire())
    for wrong in ((0,) * 15, (0,) * 17):
        try:
            panel.palette = wrong
        except ValueError:
            continue
        raise AssertionError(len(wrong))
    try:
        start(Wire(), width=200, height=16)
    except ValueError:
        return
    raise AssertionError("width")


def test_flush_allocates_next_to_nothing():
    import gc

    class Sink:
        def write(self, data):
            pass

    def pin(level):
        pass

    panel = ST7789(Sink(), pin, pin)
    panel.flush(0, 96)
    gc.collect()
    before = gc.mem_alloc()
    panel.flush(0, 96)
    assert gc.mem_alloc() - before < 3000, gc.mem_alloc() - before  # memoryview slices: 14 pieces
