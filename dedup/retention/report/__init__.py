"""A lake as one HTML page: the funnel of its stages, the graph of what contains what, and what a plan would free."""
