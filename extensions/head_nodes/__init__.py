"""Simulated head nodes: a WS-Man service (protocol) and the Windows machines behind it. No code of the product."""
