from till.drivers.xpt2046 import XPT2046


class Chip:
    # What each channel converts to, one after the other; answers as the chip does, 16 clocks a conversion.
    def __init__(self, **values):
        self.values = {"z1": [1000], "z2": [1500], "x": [2000], "y": [3000]}
        self.values.update(values)
        self.commands = []
        self.cs = []

    def select(self, level):
        self.cs.append(level)

    def write_readinto(self, ask, answer):
        assert len(ask) == len(answer) and self.cs[-1] == 0
        taken = {}
        answer[:] = bytes(len(answer))
        for at in range(0, len(ask) - 1, 2):
            command = ask[at]
            self.commands.append(command)
            assert ask[at + 1] == 0
            name = {1: "y", 3: "z1", 4: "z2", 5: "x"}[command >> 4 & 7]
            n = taken.get(name, 0)
            taken[name] = n + 1
            values = self.values[name]
            value = values[n % len(values)]
            answer[at + 1] |= value >> 5
            answer[at + 2] |= value << 3 & 0xF8
        assert ask[-1] == 0


def start(**values):
    chip = Chip(**values)
    return chip, XPT2046(chip, chip.select)


def test_conversions_are_differential_of_twelve_bits_and_the_last_one_powers_down():
    chip, touch = start()
    del chip.commands[:]
    assert touch.sample() == (2000, 3000)
    assert chip.commands == [0xB1, 0xC1, 0x91] + [0xD1, 0x91] * 4 + [0xD1, 0x90]
    assert chip.cs[-2:] == [0, 1] and chip.cs[0] == 1


def test_two_wild_conversions_of_five_are_not_seen():
    _, touch = start(x=[2000, 4095, 2004, 1996, 0], y=[9, 0, 3004, 4095, 3000, 2996])
    assert touch.sample() == (2000, 3000)


def test_only_a_firm_contact_counts():
    _, touch = start(z1=[0], z2=[4095])
    assert touch.sample() is None
    _, touch = start(z1=[100], z2=[4000])
    assert touch.sample() is None
    chip = Chip(z1=[100], z2=[4000])
    assert XPT2046(chip, chip.select, firm=100000).sample() == (2000, 3000)


def test_cs_rises_after_a_fault_of_the_bus():
    chip, touch = start()

    def broken(ask, answer):
        raise OSError(5)

    chip.write_readinto = broken
    try:
        touch.sample()
    except OSError:
        assert chip.cs[-1] == 1
        return
    raise AssertionError("no fault")
