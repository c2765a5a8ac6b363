"""Text: tokenizers and decoding. Knows no model."""
