"""What the benches share.

clock    the processor time and the memory of a server
servers  a server that is measured; tcpmuxd, and the bare ones
peers    others' servers: xinetd, inetd, systemd-socket-activate
world    the namespaces that all run in
measure  one load, many rounds, medians
targets  what a figure should be, and whether it is
report   the table on the terminal, results.json, report.html
plots    its pictures
"""
