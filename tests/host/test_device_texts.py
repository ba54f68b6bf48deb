"""What the technician's tools say: in both languages, with what to do next."""

import importlib
import pkgutil
import string

import microtill.cli
import microtill.device
import pytest
from microtill.device import errors, terminal_texts, texts
from microtill.device.console import ConsoleError
from microtill.simulator.texts import _catalogue

for _package in (microtill.device, microtill.cli):
    for _module in pkgutil.iter_modules(_package.__path__):
        if _module.name != "__main__":
            importlib.import_module(f"{_package.__name__}.{_module.name}")


@pytest.fixture(autouse=True)
def _language():
    yield
    texts.set_language(None)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def error_classes(base=errors.DeviceError):
    for kind in base.__subclasses__():
        yield kind
        yield from error_classes(kind)


def test_every_entry_is_there_in_both_languages_with_the_same_fields():
    for key, (zh, en) in texts.TEXTS.items():
        assert zh and en, key
        assert fields(zh) == fields(en), key
        assert zh.count("|") == en.count("|") <= 1, key


def test_every_error_says_what_to_do_next():
    for key, entry in texts.TEXTS.items():
        if key.startswith(("error.", "terminal.")) and key != "error.terminal_refuses":  # its reason has the step
            assert all(text.partition("|")[2] for text in entry), key


def test_every_error_class_has_a_text_and_an_exit_status():
    for kind in error_classes():
        if kind.__module__.startswith("microtill.") and kind is not ConsoleError:  # it is never raised itself
            assert kind.exit_code in (2, 3, 4, 5, 6, 7), kind
            assert kind.key in texts.TEXTS, kind


def test_the_exit_statuses():
    codes = {kind.__name__: kind.exit_code for kind in error_classes()}
    assert codes["UsageError"] == 2
    assert codes["NoSuchPort"] == 3
    assert codes["PortBusy"] == codes["NoPermission"] == 4
    assert codes["VerificationFailed"] == 5
    assert codes["Refused"] == codes["TerminalRefuses"] == codes["AcquirerRefused"] == 6
    assert codes["NoAnswer"] == codes["Unplugged"] == codes["TerminalSilent"] == codes["AcquirerUnreachable"] == 7


def test_each_reason_for_being_offline_that_the_terminal_has_is_explained():
    reasons = {key for key in _catalogue("en") if key.startswith(("reason.", "action."))}
    assert {key for key in reasons if f"terminal.{key}" not in texts.TEXTS} == set()


def test_what_a_newer_terminal_says_is_not_swallowed():
    texts.set_language("en")
    assert "error.of_tomorrow" in terminal_texts.what("error.of_tomorrow")
    assert terminal_texts.next_step("error.of_tomorrow")


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "de_DE", "LC_MESSAGES": "zh_SG"}, "zh"),
        ({"LANG": "de_DE", "MICROTILL_LANGUAGE": "zh"}, "zh"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_the_language_is_the_environments(environment, language):
    assert texts.preferred(environment) == language


def test_where_the_environment_says_nothing_the_systems_locale_does(monkeypatch):
    for name, language in (("zh_CN", "zh"), ("Chinese (Simplified)_China", "zh"), ("English_United States", "en")):
        monkeypatch.setattr(texts.locale, "getlocale", lambda name=name: (name, "cp936"))
        assert texts.preferred({}) == language
    monkeypatch.setattr(texts.locale, "getlocale", lambda: (None, None))
    assert texts.preferred({}) == "en"


def test_a_bar_or_braces_in_a_value_change_nothing():
    texts.set_language("en")
    error = errors.UsageError(detail="a|b {c}")
    assert error.what == "a|b {c}"
    assert error.next == "see --help"


def test_two_texts_for_one_key_are_refused():
    texts.add({"error.usage": texts.TEXTS["error.usage"]})
    with pytest.raises(ValueError, match="two texts"):
        texts.add({"error.usage": ("别的", "another")})
