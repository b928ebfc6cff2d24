"""Translation: sentences, tokens, CTranslate2, and models made ready for it."""
