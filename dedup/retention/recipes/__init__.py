"""How a deleted table is made again, byte for byte."""
