"""What the recipes of CLIP and unCLIP share: emoji, variations, the step, measures, the card, shipping."""
