"""Proofs that take too long for every day: the state machine for minutes, and hundreds of kills."""
