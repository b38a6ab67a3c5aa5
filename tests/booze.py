"""The drinks that tests of PEP 249 store, as the public-domain dbapi20 does."""

SAMPLES = ["Carlton", "Cooper", "Foster", "Ouzo", "Victoria"]
