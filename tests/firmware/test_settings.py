from fake_nvs import FakeNvs, PowerCut
from till.core.errors import InvalidValue
from till.storage.settings import Settings


def refused(call, *args):
    try:
        call(*args)
    except InvalidValue:
        return True
    return False


def test_defaults_and_choices():
    nvs = FakeNvs()
    settings = Settings(nvs)
    assert settings.get("language") == "zh" and settings.get("volume") == 2
    settings.set("language", "en")
    settings.set("brightness", 30)
    again = Settings(nvs)
    assert again.get("language") == "en" and again.get("brightness") == 30 and again.get("volume") == 2
    commits = nvs.commits
    again.set("language", "en")
    assert nvs.commits == commits
    again.reset()
    assert Settings(nvs).get("language") == "zh"


def test_what_may_not_be_chosen():
    settings = Settings(FakeNvs())
    for name, value in (
        ("language", "fr"), ("language", None), ("volume", 4), ("volume", True), ("volume", "2"), ("brightness", 9),
        ("dim_after", -1), ("colour", 1), ("language", ["zh"]),
    ):  # fmt: skip
        assert refused(settings.set, name, value), (name, value)
    assert refused(settings.get, "colour")


def test_damage_and_foreign_values_fall_back():
    nvs = FakeNvs()
    settings = Settings(nvs)
    settings.set("language", "en")
    settings.set("volume", 0)
    newest = max(nvs.durable, key=lambda k: nvs.durable[k][8:12])
    for at in range(len(nvs.durable[newest])):
        bad = dict(nvs.durable)
        bad[newest] = bad[newest][:at] + bytes([bad[newest][at] ^ 8]) + bad[newest][at + 1 :]
        assert Settings(FakeNvs(bad)).get("volume") == 2 and Settings(FakeNvs(bad)).get("language") == "en"
    for value in (b"x", b"\0" * 400, b"\0" * 600):
        assert Settings(FakeNvs({"settings/0": value, "settings/1": value})).get("language") == "zh"


def test_power_cut_at_every_operation_leaves_old_or_new():
    choices = (("language", "en"), ("volume", 0), ("volume", 1), ("language", "zh"), ("brightness", 100))
    for cut_at in range(10):
        nvs = FakeNvs(cut_at=cut_at)
        done = 0
        try:
            settings = Settings(nvs)
            for name, value in choices:
                settings.set(name, value)
                done += 1
        except PowerCut:
            pass
        assert done == cut_at // 2
        for left in nvs.leftovers():
            after = Settings(FakeNvs(left))
            found = [after.get(name) for name in ("language", "volume", "brightness")]
            states = []
            for n in (done, done + 1):
                values = {"language": "zh", "volume": 2, "brightness": 80}
                values.update(dict(choices[:n]))
                states.append([values[name] for name in ("language", "volume", "brightness")])
            assert found in states, (cut_at, found)
