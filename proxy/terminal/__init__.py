"""`nylas-proxy status`: what a running proxy tells of itself, on a terminal. Only `picture`, `live` and `command` know the library that draws."""
