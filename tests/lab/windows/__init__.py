"""Tests of the simulated head nodes (extensions/head_nodes), and what they and the lab need beside them."""
