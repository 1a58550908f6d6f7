"""What the `math` verifier stands on: reading an answer into a tree, and comparing two trees.

    tidy      one spelling for everything that can be spelled in several ways
    rational  the fast path: plain numbers and fractions, by regular expression
    grammar   tokens and expressions, with calls and operators;  measured: expressions with units
    answers   lists, sets, intervals, relations, words;  spelling, dates: what is said in words
    respell   second readings: a decimal comma, C(10,3), a remark in brackets
    numeric   exact and high-precision evaluation, identity of expressions
    regions   intervals and inequalities as sets of numbers;  inequalities: solving them
    families  solutions that repeat;  vectors: sums of unit vectors
    compare   the policies: when two answers are the same answer
    ground    a ground truth and what it says;  decide: whether an answer is it, given the question
    known     answers that are found with the ground truth in hand;  labelled: value by value
    fallback  math-verify, for golds in a notation that the grammar does not know

No text is ever evaluated as code. What is too big to decide cheaply raises `TooHard`.
"""
