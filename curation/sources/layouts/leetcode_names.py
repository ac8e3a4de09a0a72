"""The names that LeetCode's editor gives every solution: usual imports, list and tree nodes, and their converters."""

from __future__ import annotations

import re

__all__ = ["prelude_for"]

_IMPORTS = """\
import bisect, collections, copy, datetime, functools, heapq, itertools, math, operator, random, re, string
from bisect import *
from collections import *
from functools import *
from heapq import *
from itertools import *
from math import *
from operator import *
from string import *
from typing import *
inf = float("inf")
"""
# pow(a, b, m) and its like must stay the built-in ones after the star imports.
_BUILTINS = "from builtins import abs, pow, sum\n"

_LIST = """
class ListNode:
    def __init__(self, val=0, next=None):
        self.val = val
        self.next = next

def list_node(values):
    head = None
    for value in reversed(values or []):
        head = ListNode(value, head)
    return head

def is_same_list(one, other):
    while one and other and one.val == other.val:
        one, other = one.next, other.next
    return one is None and other is None
"""

_TREE = """
class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val = val
        self.left = left
        self.right = right

def tree_node(values):
    if not values:
        return None
    root = TreeNode(values[0])
    waiting, rest = [root], iter(values[1:])
    for node in waiting:
        for side in ("left", "right"):
            value = next(rest, None)
            if value is not None:
                child = TreeNode(value)
                setattr(node, side, child)
                waiting.append(child)
    return root

def is_same_tree(one, other):
    waiting = [(one, other)]
    while waiting:
        one, other = waiting.pop()
        if one is None or other is None:
            if one is not other:
                return False
        elif one.val != other.val:
            return False
        else:
            waiting += [(one.left, other.left), (one.right, other.right)]
    return True
"""


def prelude_for(*texts: str) -> str:
    """Return the code to run before a solution: imports always, nodes where one of ``texts`` speaks of them."""
    spoken = set(re.findall(r"\w+", "\n".join(texts)))
    lists = _LIST if spoken & {"ListNode", "list_node", "is_same_list"} else ""
    trees = _TREE if spoken & {"TreeNode", "tree_node", "is_same_tree"} else ""
    return _IMPORTS + _BUILTINS + lists + trees
