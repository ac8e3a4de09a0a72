"""What may leave: differentially private synthesis and vertical minimization of client data."""
