"""GeoTIFF: tags, pixels, outputs."""
