"""How CLIP and unCLIP are trained on emoji: data, variations, training by the clock, the stages, their measures."""
