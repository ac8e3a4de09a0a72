"""What is derived from a contract and never written by hand: one module per target."""
