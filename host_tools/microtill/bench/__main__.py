"""`python -m microtill.bench DESCRIPTOR`: the bench process, as `client.Bench` starts it."""

import sys

from microtill.bench.server import main

if __name__ == "__main__":
    main(int(sys.argv[1]))
