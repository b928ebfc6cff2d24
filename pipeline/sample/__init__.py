"""The embedded default: a phrase book of our own, and the question set and translation model made from it."""
