"""Three outcomes, not two: a sale is approved, declined, or unknown until it is reversed."""

APPROVED = "approved"
DECLINED = "declined"
PENDING = "pending"
REFUSED = "refused"
UNKNOWN = "unknown"

ALL = (APPROVED, DECLINED, PENDING, REFUSED, UNKNOWN)
