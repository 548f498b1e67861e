"""A local network of processes: what runs, how it is watched, and what it reports."""
