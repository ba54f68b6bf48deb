"""The reference acquirer."""
