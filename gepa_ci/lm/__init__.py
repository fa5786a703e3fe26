"""The only place that calls a model: client, error classes, response cache, spend, local model."""
