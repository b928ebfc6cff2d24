"""What a run consists of, and its stages as functions of settings and store."""
