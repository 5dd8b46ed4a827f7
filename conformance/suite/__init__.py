"""Holds what the conformance tests share: processes, clients, peers and the differential comparison."""
