"""Hidden: what a hidden cause leaves open of a question, said with draws or given as ends."""
