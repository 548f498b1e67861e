"""The project that `parahost new` writes: each file as it will be, but for its names."""
