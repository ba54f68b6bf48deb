"""What can go wrong between a laptop, a terminal and an acquirer: one class an exit status, one text an error.

`key` names the entry of the catalogue in `texts.py`, which says what happened and what to do next; `fields` fill it
in and never hold a secret.
"""

from microtill.device import texts

DONE = 0


class DeviceError(Exception):
    """Base of all expected errors of the technician's tools."""

    exit_code = 1
    key = "error.internal"

    def __init__(self, key: str | None = None, **fields: object):
        super().__init__(key, fields)
        self.key = key or type(self).key
        self.fields = fields

    @property
    def what(self) -> str:
        """What happened, in the language of this process."""
        return texts.what(self.key, **self.fields)

    @property
    def next(self) -> str:
        """What the technician can do about it."""
        return texts.next_step(self.key, **self.fields)

    def __str__(self) -> str:
        return self.what


class UsageError(DeviceError):
    """What was asked makes no sense, or is not definite enough."""

    exit_code = 2
    key = "error.usage"


class NoSuchPort(DeviceError):
    """No port has that name, and no unit that serial or terminal ID. `port`"""

    exit_code = 3
    key = "error.no_such_port"


class PortBusy(DeviceError):
    """Another program has the port open. `port`, `program` (name and process ID where the system tells them)"""

    exit_code = 4
    key = "error.port_busy"


class NoPermission(DeviceError):
    """This user may not open the port. `port`, `group` (whose members may)"""

    exit_code = 4
    key = "error.no_permission"


class VerificationFailed(DeviceError):
    """What is on the device is not what was put there, or a check did not hold."""

    exit_code = 5
    key = "error.verification"


class Refused(DeviceError):
    """The terminal or the acquirer says no."""

    exit_code = 6
    key = "error.refused"


class NoAnswer(DeviceError):
    """Nobody answers, or not in a way that can be understood. `port`"""

    exit_code = 7
    key = "error.no_answer"


class Unplugged(NoAnswer):
    """The port vanished while it was in use. `port`"""

    key = "error.unplugged"


class NoFirmware(NoAnswer):
    """A board that answers, but not with microtill. `port`, `found` (what it says it is)"""

    key = "error.micropython_prompt"


class AcquirerRefused(Refused):
    """The acquirer says no. `detail` (its own words)"""

    key = "error.acquirer_refused"


class AcquirerUnreachable(NoAnswer):
    """The laptop does not reach the acquirer. `url`, `detail`"""

    key = "error.acquirer_unreachable"
