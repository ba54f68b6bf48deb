"""The terminal in a browser, and scripted runs, over the bench."""
