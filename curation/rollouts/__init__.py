"""Rollouts: answers sampled from policies, each judged, each paid for once."""
