"""Learning from one's own pictures: what was read is kept, corrected on a page, and trained on.

`saved` keeps what the network saw, `page` makes the page; `data.reviewed` reads what came of it.
"""
