"""Modules that are dropped again: till.core.passing."""

import gc
import sys

from till.core.passing import forget


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
