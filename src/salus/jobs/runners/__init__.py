"""Where steps run: processes of this machine. Another place is one file that keeps the contract in `base.py`."""
