"""The lint rules: each is a function of what it looks at, and yields what is doubtful there."""
