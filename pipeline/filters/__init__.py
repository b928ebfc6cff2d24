"""Filters: a batch of texts in, a score column out; `policy` alone holds the thresholds."""
