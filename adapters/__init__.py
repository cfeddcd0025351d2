"""The platforms, a folder each. None knows another, and the core in `bot` knows none of them."""
