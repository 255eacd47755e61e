"""Decides and returns values: nothing here awaits, reads a clock, rolls dice, reads the environment or logs."""
