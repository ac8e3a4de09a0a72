"""What an attacker learns from a release: measured, put into tables, and told in a report."""
