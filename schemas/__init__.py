"""What a record is: contracts, ids, closed vocabularies, recipe models and errors. Imports nothing of ours."""
