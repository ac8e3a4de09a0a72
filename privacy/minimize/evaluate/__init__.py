"""How useful a release stays, and what an attacker learns from it."""
