"""A sample shop: its warehouse on two days in a row, and its Intercom workspace.

All people, addresses and orders are invented; the mail domains are those that RFC 2606 reserves
for examples.
"""
