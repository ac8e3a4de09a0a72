"""Releases: a published version as a folder that stands on its own, and the proof that it is whole."""
