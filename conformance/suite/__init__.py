"""What the conformance tests share: processes, clients, peers and the differential comparison."""
