"""Where things are kept: one database and its migrations. `database` alone knows which engine it is."""
