"""One node as a process of an operating system: the real forms of the small ports, where its
files lie, and how it starts and ends."""
