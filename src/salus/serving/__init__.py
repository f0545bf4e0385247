"""The model server: predictors behind keys, a batcher and limits; snapshot in, answers out.

Knows bundles through inference. Knows no database, no control plane and no trainer.
"""
