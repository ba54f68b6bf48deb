from till.drivers.ili9341 import ILI9341


class Wire:
    def __init__(self):
        self.log = []
        self.dc = 1
        self.count = 0

    def write(self, data):
        if self.dc:
            self.count += len(data)
            if len(self.log[-1][1]) < 8:
                self.log[-1][1] += bytes(data[:8])
        else:
            self.log.append([data[0], b""])

    def set_dc(self, level):
        self.dc = level


def test_it_is_set_up_upright_with_blue_first_and_glass_that_is_not_inverted():
    wire = Wire()
    panel = ILI9341(wire, wire.set_dc, lambda level: None, rows=72, keys_height=168)
    assert [command for command, _ in wire.log] == [0x01, 0x11, 0x3A, 0x20, 0x13, 0x36, 0x2A, 0x2B, 0x2C, 0x29]
    assert [0x3A, b"\x55"] in wire.log and [0x36, b"\x48"] in wire.log
    assert [0x2A, b"\x00\x00\x00\xef"] in wire.log and [0x2B, b"\x00\x00\x01\x3f"] in wire.log
    assert wire.count > 240 * 320 * 2
    assert (panel.width, panel.height, panel.rows, panel.keys_height) == (240, 320, 72, 168)
    assert len(panel.buffer) == 240 * 72 // 2
