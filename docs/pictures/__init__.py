"""The pictures of the status page in the pages beside this folder, and what takes them."""
