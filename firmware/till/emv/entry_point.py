"""Entry Point (EMV Contactless Book B): which application of the card is used, and which kernel runs it.

`read_card` does no input or output: it yields the commands and is sent the answers.

    reader = read_card(terminal, transaction)
    try:
        command = next(reader)
        while True:
            command = reader.send(await nfc.transceive(command))
    except StopIteration as done:
        return done.value
    finally:
        reader.close()  # when the reader fails half-way, this wipes what the card has said
"""

from micropython import const

from till.core.errors import CardBlocked, CardError, CardOther
from till.emv import apdu, kernel2, kernel3, tlv
from till.emv.parameters import KERNEL_MASTERCARD, KERNEL_UNIONPAY, KERNEL_VISA
from till.emv.reading import Reading

PPSE = b"2PAY.SYS.DDF01"
CANDIDATES_MAX = const(8)

_KERNELS = {KERNEL_MASTERCARD: kernel2.run, KERNEL_VISA: kernel3.run, KERNEL_UNIONPAY: kernel3.run}


def read_card(terminal, transaction, progress=None):
    """Generator: yields command APDUs (bytes), is sent whole answers (octets with SW1 SW2), returns the CardReading.

    An answer need be valid only until the next command. `progress(n)` is told how many of the four lights are on:
    2 application selected, 3 processing options, 4 done, the card may go. Raises CardError by what the cashier can
    do. Ends after at most apdu.COMMANDS_MAX commands whatever the card answers; the card's data is wiped at the end.
    """
    if progress is None:
        progress = _dark
    card = terminal.card
    card.clear()
    try:
        failure = None
        for name, application in (yield from _candidates(terminal, card)):
            card.forget_to(0)
            try:
                aid = yield from _select(name, card)
            except CardError as e:
                if failure is None or isinstance(e, CardBlocked):
                    failure = e
                continue
            progress(2)
            reading = Reading(terminal, transaction, application, aid, progress)
            result = yield from _KERNELS[application.kernel](reading)
            if result is not None:
                return result
            failure = failure or CardOther("GET PROCESSING OPTIONS 6985 conditions not satisfied")
        if failure is not None:
            raise failure
        raise CardOther("no application in common")
    finally:
        card.clear()


def _dark(lights):
    """No lights."""


def _candidates(terminal, card):
    """Generator: `[(DF name, Application), …]` of the card in the order of its priorities (Book B §3.3.2)."""
    position = yield from apdu.must(apdu.select(PPSE), card)
    view = card.view
    tag, position = tlv.only(view, position)
    if tag != 0x6F:
        raise CardOther("FCI template")
    for tag in (0xA5, 0xBF0C):
        position = tlv.first(view, position, tag)
        if position is None:
            raise CardOther("PPSE without a directory")
    found = []
    for entry in tlv.children(view, position, 0x61):
        name = tlv.first(view, entry, 0x4F)
        if name is None:
            continue
        name = bytes(tlv.slice_of(view, name))
        application = _application(terminal, name)
        if application is None or not _kernel_agrees(view, entry, application):
            continue
        if len(found) == CANDIDATES_MAX:
            break
        priority = tlv.first(view, entry, 0x87)
        priority = tlv.slice_of(view, priority)[0] & 0x0F if priority is not None and priority & 0xFFF else 0
        # Priority 1 is the highest and 0 is none; among equals the card's own order counts.
        found.append(((priority or 16) * CANDIDATES_MAX + len(found), name, application))
    if not found:
        raise CardOther("no application in common")
    found.sort(key=_rank)
    return [(name, application) for _, name, application in found]


def _rank(candidate):
    return candidate[0]


def _application(terminal, name: bytes):
    """The accepted application whose AID begins the DF name; the longest AID when several do."""
    best = None
    if 5 <= len(name) <= 16:
        for application in terminal.applications:
            if name.startswith(application.aid) and (best is None or len(application.aid) > len(best.aid)):
                best = application
    return best


def _kernel_agrees(view, entry: int, application) -> bool:
    """Whether the kernel that the card asks for (9F2A) is the one we run (Book B Table 3-6); absent or 0: any."""
    position = tlv.first(view, entry, 0x9F2A)
    if position is None or not position & 0xFFF:
        return True
    wanted = tlv.slice_of(view, position)[0]
    if wanted & 0x80:  # a domestic kernel
        return False
    return wanted & 0x3F in (0, application.kernel)


def _select(name: bytes, card):
    """Generator: SELECT the application; 84, 50 and 9F38 of its FCI go into `card`. Returns its DF name."""
    position = yield from apdu.must(apdu.select(name), card)
    view = card.view
    tag, template = tlv.only(view, position)
    if tag != 0x6F:
        raise CardOther("FCI template")
    df_name = tlv.first(view, template, 0x84)
    if df_name is None or bytes(tlv.slice_of(view, df_name)) != name:
        raise CardOther("another application answered")
    card.put(0x84, df_name)
    proprietary = tlv.first(view, template, 0xA5)
    if proprietary is None:
        raise CardOther("FCI without A5")
    for tag in (0x50, 0x9F38):
        found = tlv.first(view, proprietary, tag)
        if found is not None:
            card.put(tag, found)
    return name
