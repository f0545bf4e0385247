"""The Python client: httpx2 and core, nothing else."""
