"""Who hears how a board is getting on while something is done to it: a bar, or nobody."""

from typing import Any, Protocol


class Watch(Protocol):
    """Its methods may be called from any thread; a `text` is a key of the messages."""

    def stage(self, text: str, **fields: Any) -> None:
        """What is being done now."""
        ...

    def ask(self, text: str, **fields: Any) -> None:
        """What a person has to do now; nothing goes on before."""
        ...

    def total(self, amount: int) -> None:
        """So much more is there to do than was known."""
        ...

    def step(self, amount: int) -> None:
        """So much more of it is done."""
        ...


class Quiet:
    """Nobody."""

    def stage(self, text: str, **fields: Any) -> None: ...

    def ask(self, text: str, **fields: Any) -> None: ...

    def total(self, amount: int) -> None: ...

    def step(self, amount: int) -> None: ...
