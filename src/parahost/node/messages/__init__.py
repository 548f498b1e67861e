"""Everything that is said between subsystems, by who receives it."""
