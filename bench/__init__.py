"""The figures this program is held to, each measured beside its peer or its limit in the same run.

`python -m bench NAME` runs one. Start reading in `bench/README.md`; what runs in fresh processes is in `bench/runs`.
"""
