"""The test bench: a virtual board and strict virtual chips around the real firmware."""
