"""Who stands at the counter. Roles and sign-in by PIN are still to come: today one cashier works the terminal."""


class Operator:
    """`id`: two digits as the field numbers them; `role`: as in the wire's `operator`; `shift`: 1 and up."""

    def __init__(self, id: str = "01", role: str = "cashier", shift: int = 1):
        self.id = id
        self.role = role
        self.shift = shift

    def members(self) -> dict:
        """As messages carry it."""
        return {"id": self.id, "role": self.role, "shift": self.shift}
