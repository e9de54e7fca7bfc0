"""What the pipeline does to a workspace: compute changes, apply, reconcile, retire, forget."""
