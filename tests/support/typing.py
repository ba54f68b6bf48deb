"""Typing text on the terminal's twelve keys, as a person does."""

from microtill.simulator.world import World

# In the mode abc; from the telephone, not from the firmware.
KEYS = {
    "0": " 0!\"#$%&'()*+,;<=>?[\\]^`{|}~",
    "1": "1.-_@/:",
    "2": "abc2",
    "3": "def3",
    "4": "ghi4",
    "5": "jkl5",
    "6": "mno6",
    "7": "pqrs7",
    "8": "tuv8",
    "9": "wxyz9",
}
_WHERE = {letter: (key, letters.index(letter) + 1) for key, letters in KEYS.items() for letter in letters}


def presses(text: str) -> list[str]:
    """The keys that type `text`, beginning in the mode abc; DOWN ends a letter, MENU changes the mode."""
    found: list[str] = []
    capitals = False
    last = ""
    for letter in text:
        if letter.isalpha() and letter.isupper() != capitals:
            found += ["MENU"] * (1 if letter.isupper() else 2)  # abc, ABC, 123
            capitals = letter.isupper()
            last = ""
        key, times = _WHERE[letter.lower()]
        if key == last:
            found.append("DOWN")
        found += [key] * times
        last = key
    return found


def type_text(world: World, text: str) -> None:
    """Type `text` where the terminal asks for it."""
    world.key(*presses(text))
