"""A stand-in for the API server of an OpenShift cluster: Routes and Pods over the list/watch protocol of Kubernetes.

It speaks HTTP/1.1 with TLS and bearer tokens, keeps resource versions, pages, bookmarks and a limited history, checks
what is written to it, and admits Routes as the cluster's routers would. Tests and the demo change its state with REST
writes, and switch faults on, through a Unix socket (client.py). Standard library only; no API server for real use.
"""
