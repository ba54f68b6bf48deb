"""What an acquirer is configured with; imports nothing, so that a command line can read its defaults."""

from dataclasses import dataclass, field

DEFAULT_NAME = "acquirer.microtill.test"
DEFAULT_PORT = 8443


@dataclass
class Config:
    """`offset`: minutes east of UTC of the merchants' wall clock. `clock_skew`: seconds a terminal may be off."""

    name: str = "microtill reference acquirer"
    hosts: list[str] = field(default_factory=lambda: [DEFAULT_NAME])
    url: str = f"https://{DEFAULT_NAME}:{DEFAULT_PORT}"
    aud: str = DEFAULT_NAME
    database_url: str = ""
    offset: int = 480
    clock_skew: int = 900
    trust_version: int = 1
