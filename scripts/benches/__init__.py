"""The benches of scripts/bench: each file bench_NAME.py is one, the others are what they are made of.

They use the demo network (package demonet) and nothing beyond the standard library.
"""
