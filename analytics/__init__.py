"""What the readings mean and what to do about it: pure functions over arrays, and the rules built on them."""
