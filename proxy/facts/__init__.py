"""What is known about Nylas, as data."""
