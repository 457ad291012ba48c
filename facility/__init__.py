"""What everyone shares: the hospital as data. Talks to no network but its own databases."""
