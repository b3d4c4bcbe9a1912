"""The demo network: two clusters of real routers, a client and the edge, in network namespaces of one machine.

Used by scripts/demo, scripts/demo_network.py and the end-to-end tests. Standard library only.
"""
