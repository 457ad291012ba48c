"""Energy accounts: from registers to consumption, money, carbon and proven savings."""
