"""The stages that prove containment, and what is said of each edge."""
