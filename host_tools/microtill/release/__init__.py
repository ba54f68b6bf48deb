"""What turns the sources into a release: lint, compile, image, figures."""
