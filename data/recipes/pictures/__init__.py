"""What the recipes of CLIP and unCLIP share: the step, measures, the card, shipping."""
