"""Pushing a release to where others read it: a mirror, a store, the Hub."""

from warehouse.release.push.push import Pushed, push

__all__ = ["Pushed", "push"]
