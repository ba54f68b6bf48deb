"""A reader that fails while a card is awaited: the panel says so, the reader is brought back, and the sale goes on.

What the driver does in each kind of fault is tested with the chip in test_pn532_driver.py; here, that it is shown.
"""

from microtill.simulator.script import Player, parse
from microtill.simulator.texts import texts


def test_the_flow_shows_the_fault_and_goes_on_without_help(world, tmp_path):
    before = world.acquirer.sales()["amount"]
    player = Player(world, tmp_path, tmp_path)
    player.play(parse('key 7 OK\nwait "请挥卡"'))
    world.bench.hand("nfc", "fault", kind="wedged")  # only its reset line frees it
    world.bench.wait(lambda: world.shows(*texts("error.reader")), "the reader's fault on the panel", 30)
    player.play(parse('wait "请挥卡" 30\ntap visa\nwait "交易成功" 30\nremove\nkey OK\nwait "输入金额收款"'))
    assert world.acquirer.sales()["amount"] == before + 7
