"""Talking to real or virtual boards."""
