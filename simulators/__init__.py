"""A hospital in software: the physics of its plant rooms, faults on demand, and the gateways that report them."""
