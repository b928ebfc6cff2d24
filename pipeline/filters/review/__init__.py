"""Looking at scores: thresholds proposed from them, what people think of texts, the report."""
