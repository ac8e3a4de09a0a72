"""What is worth training on: sources, verification, rollouts, pass rates, filters, decontamination, DRIVE."""
