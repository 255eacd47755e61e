"""HTTP/1.1 as bytes, on both sides of the proxy: knows nothing of Nylas."""
