"""The tables of the state, their migrations, and the description of each column."""
