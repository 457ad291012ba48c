"""Sparkplug B, as the host application that consumes what edge nodes send."""
