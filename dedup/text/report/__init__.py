"""The repetitions of a table as one HTML page: the funnel, how alike they are, and pairs with what differs marked."""
