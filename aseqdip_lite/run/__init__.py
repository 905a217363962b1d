"""One run: the engine that steps a method, what is recorded, when it stops, how it is kept and what it returns."""
