"""The scenario language: what it takes, and that every wrong line is named."""

import pytest
from microtill.simulator.script import Command, ScriptError, parse


def test_every_command_of_the_language():
    text = """
    # a sale
    key 1 2 3 4 OK
    hold CLEAR 1.5
    tap visa            # one card
    tap visa mastercard # two at once
    tap trace:cards/a.trace
    remove
    wait "APPROVED"
    wait "结果未知" 40
    expect "¥12.34"
    absent "DECLINED"
    sleep 2.5
    screenshot out.png
    wifi down
    host slow 500
    host drop-response
    power-cut
    power-cut after 3 flash-ops
    power-on
    reset
    language zh
    acquirer expect sales=1 amount=1234
    """
    commands = parse(text)
    assert commands[0] == Command(3, "key", ("1", "2", "3", "4", "OK"))
    assert [c.arguments for c in commands if c.verb == "wait"] == [("APPROVED", 15.0), ("结果未知", 40.0)]
    assert [c.arguments for c in commands if c.verb == "power-cut"] == [(), (3,)]
    assert commands[-1].arguments == (("sales", 1), ("amount", 1234))
    assert len(commands) == 21


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("push 1", "no command 'push'"),
        ("key", "name at least one"),
        ("key ENTER", "no key 'ENTER'"),
        ("key 12", "no key '12'"),
        ("tap", "takes 1 to 2 words"),
        ("tap a b c", "takes 1 to 2 words"),
        ("wait", "takes 1 to 2 words"),
        ('wait ""', "empty"),
        ('wait "A" soon', "must be a number"),
        ('wait "A" -1', "must be 0 to 86400"),
        ('wait "A" nan', "must be 0 to 86400"),
        ('expect "A', "No closing quotation"),
        ("expect A B", "takes 1 words"),
        ("screenshot out.jpg", ".png"),
        ("wifi sideways", "is not one of up, down"),
        ("host slow", "takes 2 words"),
        ("host explode", "is not one of"),
        ("power-cut after 0 flash-ops", "must be 1"),
        ("power-cut later", "power-cut after N"),
        ("power-on now", "takes 0 words"),
        ("language fr", "is not one of"),
        ("acquirer expect", "acquirer expect sales=1"),
        ("acquirer expect money=1", "money=1"),
        ("acquirer expect sales=-1", "sales=-1"),
    ],
)
def test_a_wrong_line_is_named(line, says):
    with pytest.raises(ScriptError) as error:
        parse("# first\n" + line, "x.till")
    assert str(error.value).startswith("x.till:2: ")
    assert says in str(error.value)
