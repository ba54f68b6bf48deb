"""Presenting a card or a phone, until it is read or the cashier gives up."""

import time

from micropython import const

from till.core.errors import Cancelled, CardCollision, CardRemoved, CardTryAgain, ReaderError
from till.core.memory import collect_seldom
from till.emv.entry_point import read_card

_POLL_MS = const(50)
_PATIENCE_MS = const(60000)
_SAY_MS = const(1500)
_AGAIN_MS = const(500)


async def take_card(counter, reader, terminal, transaction_of, title_key: str, amount_text: str):
    """The CardReading of the first card that can be read, with all four lights on.

    `transaction_of()` gives a fresh EMV transaction for each tap.

    What passes (pulled away, two cards, a fault of the reader) is said on the screen and tried again; a card that
    cannot pay raises its CardError; CANCEL or a minute without a card raises Cancelled. The field is off afterwards.
    """
    deadline = time.ticks_add(time.ticks_ms(), _PATIENCE_MS)
    prompt = "screen.present"
    collect_seldom()
    try:
        while True:
            counter.leds.show(1)
            counter.screen.present(title_key, amount_text, 1, prompt)
            try:
                await _find(counter, reader, deadline)
                reading = await _read(reader, read_card(terminal, transaction_of(), counter.leds.show))
                counter.buzzer.success()
                return reading
            except (CardCollision, CardRemoved, CardTryAgain) as e:
                prompt = e.key
                counter.buzzer.alert()
                await _off(reader)
                if not isinstance(e, CardRemoved):  # still there: time to read the text and to do as it says
                    await _say(counter, title_key, amount_text, prompt)
            except ReaderError as e:
                counter.buzzer.alert()
                counter.leds.show(0)
                counter.screen.present(title_key, amount_text, 0, e.key)
                await _bring_back(counter, reader, deadline)
                prompt = "screen.present"
    except BaseException:
        counter.leds.show(0)
        raise
    finally:
        await _off(reader)


async def _find(counter, reader, deadline) -> None:
    reader.listen()
    while reader.poll() is None:
        if counter.pressed() == "CANCEL" or time.ticks_diff(deadline, time.ticks_ms()) < 0:
            raise Cancelled()
        await reader.wait(_POLL_MS)


async def _read(reader, dialogue):
    try:
        command = next(dialogue)
        while True:
            command = dialogue.send(await reader.transceive(command))
    except StopIteration as e:
        return e.value
    finally:
        dialogue.close()


async def _say(counter, title_key, amount_text, prompt) -> None:
    counter.leds.show(0)
    counter.screen.present(title_key, amount_text, 0, prompt)
    if await counter.key(_SAY_MS) == "CANCEL":
        raise Cancelled()


async def _bring_back(counter, reader, deadline) -> None:
    """Until the reader is well again; for as long as the card would have been waited for."""
    while True:
        try:
            await reader.recover()
            return
        except ReaderError:
            if time.ticks_diff(deadline, time.ticks_ms()) < 0:
                raise
        if await counter.key(_AGAIN_MS) == "CANCEL":
            raise Cancelled()


async def _off(reader) -> None:
    try:
        await reader.release()
    except ReaderError:
        return  # dead, and so dark; whoever needs it next says so and brings it back
