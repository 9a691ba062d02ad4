"""Open scenes -> scores: against a reference, by the pair, one level down."""
