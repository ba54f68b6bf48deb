"""The page: the terminal as an object in a browser. The pages, the bench and the acquirer are processes apart."""
