"""`python -m microtill.cli` is the `microtill` command."""

from microtill.cli import main

main()
