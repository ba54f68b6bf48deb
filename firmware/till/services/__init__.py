"""What the terminal needs of the world: time, network, the acquirer, and the rules of money."""
