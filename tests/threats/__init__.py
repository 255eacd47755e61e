"""Guards of docs/threats.md that no other suite holds."""
