"""What runs on the sandbox's side: standard library only, no tests, no expected values, nothing of the judge."""
