"""What the `math` verifier stands on: reading an answer into a tree, and comparing two trees.

    tidy      one spelling for everything that can be spelled in several ways
    rational  the fast path: plain numbers and fractions, by regular expression
    grammar   tokens and expressions;  answers: lists, sets, intervals, relations, units, words
    numeric   exact and high-precision evaluation, identity of expressions
    regions   intervals and inequalities as sets of numbers
    compare   the policies: when two answers are the same answer
    fallback  math-verify, for golds in a notation that the grammar does not know

No text is ever evaluated as code. What is too big to decide cheaply raises `TooHard`.
"""
