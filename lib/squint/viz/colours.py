"""The colours of every figure: Okabe and Ito's eight, which stay apart for colour-blind eyes, on a warm white card.

Source: M. Okabe and K. Ito, "Color Universal Design" (2008).
"""

BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
PINK = "#CC79A7"
SKY = "#56B4E9"
VERMILION = "#D55E00"
YELLOW = "#F0E442"
INK = "#22252A"
GREY = "#8A8F98"
CARD = "#FBFAF6"

CYCLE = (BLUE, ORANGE, GREEN, VERMILION, PINK, SKY, YELLOW)
"""The order in which lines of one axis take their colours."""
