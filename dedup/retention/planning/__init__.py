"""Which tables would go: prices, options, and the cheapest choice."""
