"""The collection on simulated head nodes."""
