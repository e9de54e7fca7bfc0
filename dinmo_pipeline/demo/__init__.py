"""A sample shop, its story, its declarations, and the folder that it alone writes to.

All people, addresses and orders are invented; the mail domains are those that RFC 2606 reserves
for examples.
"""
