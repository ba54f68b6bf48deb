from till.drivers.ssd1306 import SSD1306


class I2C:
    # Transfers as (address, bytes), as a logic analyser would show them.
    def __init__(self):
        self.log = []

    def writeto(self, address, data):
        self.log.append((address, bytes(data)))

    def writevto(self, address, vector):
        self.writeto(address, b"".join([bytes(part) for part in vector]))


def start(**options):
    bus = I2C()
    return bus, SSD1306(bus, **options)


def test_it_is_dark_and_on_at_last():
    bus, panel = start()
    assert {address for address, _ in bus.log} == {0x3C}
    setup, contrast, window, picture, on = [data for _, data in bus.log]
    assert setup[:2] == b"\x00\xae" and setup.find(b"\x8d\x14") > 0 and setup.find(b"\xa8\x3f") > 0
    assert contrast == b"\x00\x81\xcf"
    assert window == b"\x00\x22\x00\x07" and picture == b"\x40" + bytes(1024)
    assert on == b"\x00\xaf"
    assert (panel.width, panel.height, len(panel.buffer)) == (128, 64, 1024)


def test_flush_sends_the_pages_that_hold_the_rows():
    bus, panel = start()
    for i in range(1024):
        panel.buffer[i] = i >> 7
    for y0, y1, first, last in ((16, 32, 2, 3), (15, 17, 1, 2), (63, 64, 7, 7), (-9, 1, 0, 0), (56, 400, 7, 7)):
        del bus.log[:]
        panel.flush(y0, y1)
        window, picture = [data for _, data in bus.log]
        assert window == bytes((0, 0x22, first, last)), (y0, y1)
        want = b"".join([bytes((page,)) * 128 for page in range(first, last + 1)])
        assert picture == b"\x40" + want, (y0, y1)


def test_rows_that_are_not_there_send_nothing():
    bus, panel = start()
    del bus.log[:]
    for y0, y1 in ((8, 8), (30, 10), (64, 80), (-20, 0)):
        panel.flush(y0, y1)
    assert bus.log == []


def test_a_smaller_panel_at_the_other_address_with_a_reset_pin():
    pulses = []
    bus, panel = start(address=0x3D, height=32, reset=pulses.append)
    assert pulses == [0, 1] and {address for address, _ in bus.log} == {0x3D}
    setup = bus.log[0][1]
    assert setup.find(b"\xa8\x1f") > 0 and setup.find(b"\xda\x02") > 0 and len(panel.buffer) == 512


def test_other_sizes_are_refused():
    for size in ((96, 16), (128, 48)):
        try:
            start(width=size[0], height=size[1])
        except ValueError:
            continue
        raise AssertionError(size)


def test_contrast():
    bus, panel = start()
    panel.contrast(1)
    assert bus.log[-1] == (0x3C, b"\x00\x81\x01")
