"""Files of a lake: where they lie, which are tables, and how their rows are read."""
