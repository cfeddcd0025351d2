"""What is measured, one program a file: it takes one JSON object as its argument and prints one as its last line.

Each runs in a fresh process. The ones named after a peer run in the peers' own environment and import nothing of ours
but `bench.runs.meter`.
"""
