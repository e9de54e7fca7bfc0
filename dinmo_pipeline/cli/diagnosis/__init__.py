"""What `dinmo doctor` looks at: each check is a finding with its fix, and none stops the others."""
