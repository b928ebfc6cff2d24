"""The pipeline: English question-answering sets in, parallel multilingual training data out."""
