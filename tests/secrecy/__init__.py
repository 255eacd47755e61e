"""No secret that the suite uses may be told by what it tests. Not called `secrets`: that would hide the standard library's module from all tests."""
