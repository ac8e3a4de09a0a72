"""Rows as 128 bits: what is equal to what, and how it is kept, sorted and compared."""
