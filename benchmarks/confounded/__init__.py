"""Pictures with a hidden cause: what is identified, kept and bounded, against enumerated truth."""
