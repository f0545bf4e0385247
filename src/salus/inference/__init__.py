"""Bundle to predictor: kind.read, graph, task.decode. The same code answers in a notebook, in measuring and in the server.

At import no torch, store, scikit-learn or pyarrow."""
