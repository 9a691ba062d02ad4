"""How two grids lie on each other: everything between two open scenes and a method."""
