"""Modules that are dropped again, and when garbage is collected: till.core.memory."""

import gc
import sys

from till.core.memory import collect_often, collect_seldom, forget


def test_a_forgotten_module_gives_its_heap_back_and_can_be_imported_again():
    import till.core

    def used():
        gc.collect()
        return gc.mem_alloc()

    def load():
        from till.core import identifiers

        return identifiers.check_tid("10000001")

    load()
    forget("till.core.identifiers")
    before = used()
    load()
    loaded = used()
    forget("till.core.identifiers")
    assert loaded > before + 500
    assert used() < before + 200
    assert "till.core.identifiers" not in sys.modules and not hasattr(till.core, "identifiers")
    assert load() == "10000001"


def test_forgetting_what_is_not_loaded_is_harmless():
    forget("till.core.no_such_module")


def test_what_is_still_referred_to_works_on():
    from till.core.money import Currency

    forget("till.core.money")
    assert Currency("156", 2, "¥").format(1234) == "¥12.34"


def test_collections_are_rare_while_a_card_is_presented():
    def collections():
        # How often the heap in use fell while twice as much garbage was made as is free.
        falls, last = 0, 0
        for _ in range(2 * gc.mem_free() // 1024):
            bytearray(1024)
            used = gc.mem_alloc()
            falls += used < last
            last = used
        return falls

    collect_often()
    assert collections() >= 10
    collect_seldom()
    assert 1 <= collections() <= 4
    collect_often()
    assert collections() >= 10
