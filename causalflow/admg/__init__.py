"""ADMGs: acyclic directed mixed graphs, their set algebra, separation, several worlds in one."""
