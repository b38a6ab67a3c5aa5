"""Models run where they lie: networks made of tensors, generation, encoding, prediction.

`loading.load` gives the network of a model; `Network` (transformers), `StaticNetwork` and
`FeedForward` are what it may be. Nothing here knows SQL.
"""
