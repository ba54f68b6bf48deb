"""What people do at the terminal: one coroutine a file, readable top to bottom. CANCEL raises Cancelled."""
