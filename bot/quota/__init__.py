"""Who may spend how much: windows of time, limits, and the ledger that holds and settles."""
