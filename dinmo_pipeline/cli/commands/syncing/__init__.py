"""Commands that change what a workspace holds, or say what would change."""
