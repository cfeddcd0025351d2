"""A generation from accepting to posting: its states, its line, its runner and its delivery."""
