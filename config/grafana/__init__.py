"""The Grafana dashboard `nylas-proxy.json`, and the description that it is made from."""
