"""Pages of HTML about a result: what they are made of, and one module for each kind of page."""
