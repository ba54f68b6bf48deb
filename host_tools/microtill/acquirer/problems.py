"""How a request ends that cannot be done: an HTTP status, a stable code for programs, and a text for people."""


class Problem(Exception):
    """RFC 9457. `code` never changes its meaning; `title` says what a person can do and never holds a secret.

    `retry_after`: seconds after which the same request may succeed. `members` go into the answer as they are.
    """

    def __init__(self, status: int, code: str, title: str, retry_after: int = 0, **members: object):
        super().__init__(title)
        self.status = status
        self.code = code
        self.title = title
        self.retry_after = retry_after
        self.members = members


def malformed(what: str) -> Problem:
    """A value that could never be right."""
    return Problem(400, "malformed", what)
