"""A Nylas that misbehaves on cue: a process of its own that shares no code with the proxy."""
