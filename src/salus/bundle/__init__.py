"""The folder that a trained model is: written whole, signed, checked before anything in it is used.

Knows files, hashes, signatures and what a graph may hold. Does not run graphs and knows no kind or task."""
