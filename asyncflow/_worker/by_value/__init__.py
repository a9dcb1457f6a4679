"""How what a program has defined itself reaches a worker, and comes back.

What a worker can import goes by its name. The rest, as all of a script, goes by value: rebuilt there as it stands, in
a module of the same name. It has an identity, so that it is made once in a worker, and what comes home is the
program's own.
"""
