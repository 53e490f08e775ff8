"""Data sets: digits and what is made of them, pendulum, circuit, each with its true model."""
