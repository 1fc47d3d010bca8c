// Draws the graph of one run and plays it.
