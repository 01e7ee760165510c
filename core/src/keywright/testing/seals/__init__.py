"""The contract of seals."""
