"""Which ports are listed, which are asked, and how one is named."""

import os
from types import SimpleNamespace

import pytest
from microtill.device import ports
from microtill.device.errors import NoSuchPort, UsageError
from microtill.device.probe import Unit
from support.far_end import FarEnd, terminal


def usb(device: str, vid: int | None, serial: str | None = None):
    return SimpleNamespace(device=device, vid=vid, pid=1, serial_number=serial, description="a port")


@pytest.fixture
def system(monkeypatch):
    """Sets what the system lists; nothing else is there."""
    monkeypatch.delenv(ports.ENVIRONMENT, raising=False)

    def lists(*found):
        monkeypatch.setattr(ports.list_ports, "comports", lambda: list(found))

    lists()
    return lists


def test_usb_ports_come_by_number_and_the_computers_own_do_not(system):
    system(usb("COM10", 0x303A), usb("COM9", 0x10C4), usb("COM1", None), usb("/dev/ttyACM0", 0x2341))
    found = ports.find()
    assert [p.path for p in found] == ["/dev/ttyACM0", "COM9", "COM10"]
    assert [p.is_board for p in found] == [False, True, True]


def test_ports_that_the_environment_names_come_last_and_once(system, monkeypatch):
    system(usb("/dev/ttyACM0", 0x303A))
    monkeypatch.setenv(ports.ENVIRONMENT, os.pathsep.join(["/tmp/b", "/dev/ttyACM0", "/tmp/b", ""]))
    assert [p.path for p in ports.find()] == ["/tmp/b", "/dev/ttyACM0"]


def test_nothing_is_sent_to_a_chip_that_boards_do_not_have(system):
    with FarEnd() as modem:
        system(usb(modem.port, 0x1199))
        with pytest.raises(NoSuchPort) as e:
            ports.select(None)
        assert e.value.key == "error.no_port"
        with pytest.raises(NoSuchPort):
            ports.named("10000001")
        assert modem.heard == b""
        assert ports.named(modem.port).path == modem.port  # but its owner may name it


def test_by_the_serial_number_of_the_usb_device_nobody_has_to_be_asked(system, monkeypatch):
    system(usb("COM3", 0x303A, "34:85:18:AB:CD:EF"))
    monkeypatch.setattr(ports, "survey", lambda asked: pytest.fail("asked"))
    assert ports.named("348518abcdef").path == "COM3"


def test_by_what_the_unit_itself_says(system):
    with FarEnd(terminal(serial="AA01", tid="10000001")) as a, FarEnd(terminal(serial="AA02")) as b:
        system(usb(a.port, 0x303A), usb(b.port, 0x10C4))
        assert ports.named("10000001").path == a.port
        assert ports.named("aa02").path == b.port
        with pytest.raises(NoSuchPort):
            ports.named("***")  # a unit without a terminal ID is not meant by nothing
        found = dict(ports.survey(ports.find()))
        assert all(isinstance(unit, Unit) for unit in found.values())


def test_several_ports_are_named_with_their_units(system):
    with FarEnd(terminal(serial="AA01", tid="10000001")) as a, FarEnd(terminal(serial="AA02")) as b:
        system(usb(a.port, 0x303A), usb(b.port, 0x303A))
        with pytest.raises(UsageError) as e:
            ports.select(None)
        assert f"{a.port} (10000001)" in e.value.what
        assert f"{b.port} (AA02)" in e.value.what
        assert len(ports.select(None, every=True)) == 2
        with pytest.raises(UsageError):
            ports.select(a.port, every=True)


def test_a_com_name_in_any_case(system, monkeypatch):
    system(usb("COM3", 0x303A))
    monkeypatch.setattr(ports.os, "name", "nt")
    assert ports.named("com3").path == "COM3"


@pytest.mark.parametrize("name", ["COM7", "/dev/ttyS0", "./port"])
def test_a_path_that_is_not_listed_is_tried(system, name):
    assert ports.named(name).path == name
