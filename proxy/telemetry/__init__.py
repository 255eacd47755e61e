"""Observers: what happened, told to operators."""
