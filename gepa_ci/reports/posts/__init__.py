"""What is posted on a forge, as Markdown that holds no text of an example."""
